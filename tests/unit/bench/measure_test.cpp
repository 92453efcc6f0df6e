// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.hpp"

#include <cmath>
#include <string>
#include <string_view>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"

using namespace qwen3guard;
using namespace qwen3guard::bench;

namespace {

MeasureOptions quick() {
  MeasureOptions options;
  options.quick = true;
  return options;
}

void check_figure(double value) {
  CHECK(std::isfinite(value));
  CHECK(value > 0);
}

void check_time(const MeasuredTime& time) {
  CHECK(time.n_tokens > 0);
  check_figure(time.ms);
  check_figure(time.limit_fraction);
}

void check_common(const Measurement& m) {
  for (const double peak : {m.peaks.int8_gops, m.peaks.bf16_gflops, m.peaks.fp32_gflops, m.peaks.read_gb_s})
    check_figure(peak);
  check_figure(m.load_ms);
  CHECK(m.peak_rss_mb >= 0);
  CHECK(m.weight_bytes_per_token > 0);
  CHECK(m.weight_bytes_per_token < m.info.weight_bytes);
  REQUIRE(m.prefill.size() == 2);
  REQUIRE(m.chunks.size() == 3);
  for (const MeasuredTime& time : m.prefill) check_time(time);
  for (const MeasuredTime& time : m.chunks) check_time(time);
  CHECK(m.prefill[0].n_tokens == 128);
  CHECK(m.chunks[0].n_tokens == 1);
  CHECK(m.chunks[1].n_tokens == 4);
  CHECK(m.chunks[2].n_tokens == 16);
  check_time(m.decode);
}

}  // namespace

TEST_CASE("measure: a Gen model has every figure", "[bench]") {
  const Measurement m = measure_embedded("nano-gen", quick()).value();
  check_common(m);
  CHECK(m.info.kind == ModelKind::gen);
  REQUIRE(m.verdict.has_value());
  check_time(m.verdict->prefix_kept);
  check_time(m.verdict->whole);
  CHECK(m.verdict->n_kept_tokens > 0);
  // About 104 tokens beyond the constant beginning, give or take a word.
  CHECK(m.verdict->n_prompt_tokens - m.verdict->n_kept_tokens <= 104);
  CHECK(m.verdict->n_prompt_tokens - m.verdict->n_kept_tokens >= 96);
  CHECK(m.verdict->n_generated_tokens > 0);
  CHECK(m.verdict->prefix_kept.n_tokens < m.verdict->whole.n_tokens);
}

TEST_CASE("measure: a Stream model has no verdict", "[bench]") {
  MeasureOptions options = quick();
  options.n_threads = 1;
  options.isa = "scalar";
  const Measurement m = measure_embedded("nano-stream", options).value();
  check_common(m);
  CHECK(m.info.kind == ModelKind::stream);
  CHECK(m.info.n_threads == 1);
  CHECK(m.info.isa == "scalar");
  CHECK_FALSE(m.verdict.has_value());
}

TEST_CASE("measure: what cannot be loaded is an error", "[bench]") {
  const auto error_of = [](const Result<Measurement>& result) {
    REQUIRE_FALSE(result.ok());
    return result.error();
  };
  CHECK(error_of(measure_embedded("nano-gem")).detail.find("nano-gen") != std::string::npos);
  CHECK(error_of(measure("/no/such/folder")).code == ErrorCode::file_not_found);
  CHECK(error_of(measure("")).code == ErrorCode::invalid_argument);
  CHECK(error_of(measure(std::string_view("a\0b", 3))).code == ErrorCode::invalid_argument);
  MeasureOptions options = quick();
  options.isa = "pentium";
  CHECK(error_of(measure_embedded("nano-gen", options)).code == ErrorCode::unsupported_isa);
  options = quick();
  options.n_threads = -1;
  CHECK(error_of(measure_embedded("nano-gen", options)).code == ErrorCode::invalid_argument);
}
