// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "bench/measure.hpp"
#include "cli.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

using namespace bench;

struct BenchFlags {
  ModelFlags model;
  bool json = false, quick = false;
};

constexpr std::array<const char*, 2> kPrefillNames = {"128", "512"};
constexpr std::array<const char*, 3> kChunkNames = {"1", "4", "16"};

double tokens_per_second(const MeasuredTime& time) { return 1000.0 * time.n_tokens / time.ms; }
double ms_of(const MeasuredTime& time) { return time.ms; }
double fraction_of(const MeasuredTime& time) { return time.limit_fraction; }

/// The keys that figures and their fractions of the limit share. of_prefill, of: MeasuredTime -> number.
template <class OfPrefill, class Of>
void figures(JsonOut& json, const Measurement& m, const OfPrefill& of_prefill, const Of& of) {
  json.key("prefill_tok_s").begin_object();
  for (std::size_t i = 0; i < kPrefillNames.size(); ++i)
    json.key(kPrefillNames[i]).rounded(of_prefill(m.prefill[i]));
  json.end_object();
  json.key("decode_ms").rounded(of(m.decode));
  json.key("verdict_ms");
  if (m.verdict) {
    json.begin_object();
    json.key("prefix_kept").rounded(of(m.verdict->prefix_kept));
    json.key("whole").rounded(of(m.verdict->whole));
    json.end_object();
  } else {
    json.null();
  }
  json.key("chunk_ms").begin_object();
  for (std::size_t i = 0; i < kChunkNames.size(); ++i) json.key(kChunkNames[i]).rounded(of(m.chunks[i]));
  json.end_object();
}

std::string to_json(const Measurement& m, const std::string& model) {
  JsonOut json;
  json.begin_output("bench");
  json.key("model").string(model);
  json.key("kind").string(to_string(m.info.kind));
  json.key("weight_dtype").string(m.info.weight_dtype);
  json.key("isa").string(m.info.isa);
  json.key("n_threads").integer(m.info.n_threads);
  json.key("peaks").begin_object();
  json.key("int8_gops").rounded(m.peaks.int8_gops);
  json.key("bf16_gflops").rounded(m.peaks.bf16_gflops);
  json.key("fp32_gflops").rounded(m.peaks.fp32_gflops);
  json.key("read_gb_s").rounded(m.peaks.read_gb_s);
  json.end_object();
  figures(json, m, tokens_per_second, ms_of);
  json.key("limit_fraction").begin_object();
  figures(json, m, fraction_of, fraction_of);
  json.end_object();
  json.key("verdict_tokens");
  if (m.verdict) {
    json.begin_object();
    json.key("prompt").integer(m.verdict->n_prompt_tokens);
    json.key("kept").integer(m.verdict->n_kept_tokens);
    json.key("generated").integer(m.verdict->n_generated_tokens);
    json.end_object();
  } else {
    json.null();
  }
  json.key("load_ms").rounded(m.load_ms);
  json.key("peak_rss_mb").rounded(m.peak_rss_mb);
  json.key("weight_bytes_per_token").integer(m.weight_bytes_per_token);
  json.key("notes").begin_array();
  for (const std::string& note : m.notes) json.string(note);
  json.end_array();
  json.end_object();
  return json.text();
}

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 256> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

std::string row(const std::string& name, double value, const char* unit, const MeasuredTime& time) {
  return formatted("%-36s %10.*f %-5s %5.0f %%\n", name.c_str(),
                   value < 10     ? 3
                   : value < 1000 ? 1
                                  : 0,
                   value, unit, 100 * time.limit_fraction);
}

std::string to_text(const Measurement& m, const std::string& model) {
  const double mib = 1024.0 * 1024.0;
  std::string text =
      formatted("model    %s: %s, %s, %.1f MiB of weights a pass\n", printable(model, 120).c_str(),
                to_string(m.info.kind), m.info.weight_dtype.c_str(),
                static_cast<double>(m.weight_bytes_per_token) / mib);
  text +=
      formatted("machine  %s, %d thread%s: int8 %.0f Gop/s, bf16 %.0f, fp32 %.0f GFLOP/s, memory %.1f GB/s\n",
                m.info.isa.c_str(), m.info.n_threads, m.info.n_threads == 1 ? "" : "s", m.peaks.int8_gops,
                m.peaks.bf16_gflops, m.peaks.fp32_gflops, m.peaks.read_gb_s);
  text += formatted("loading  %.0f ms, at most %.0f MiB resident\n\n", m.load_ms, m.peak_rss_mb);
  text += formatted("%-36s %16s %7s\n", "", "best", "limit");
  for (const MeasuredTime& time : m.prefill)
    text +=
        row("prefill, " + std::to_string(time.n_tokens) + " tokens", tokens_per_second(time), "tok/s", time);
  for (const MeasuredTime& time : m.chunks)
    text += row("pass of " + std::to_string(time.n_tokens) + (time.n_tokens == 1 ? " token" : " tokens"),
                time.ms, "ms", time);
  if (m.verdict) {
    const std::string n = std::to_string(m.verdict->n_prompt_tokens);
    text += row("verdict, " + std::to_string(m.verdict->n_kept_tokens) + " of " + n + " tokens kept",
                m.verdict->prefix_kept.ms, "ms", m.verdict->prefix_kept);
    text += row("verdict, all " + n + " tokens computed", m.verdict->whole.ms, "ms", m.verdict->whole);
    text += formatted("\nThe verdict has %d tokens.", m.verdict->n_generated_tokens);
  }
  for (const std::string& note : m.notes) text += "\n" + escaped(note);
  return text;
}

void run(const BenchFlags& flags) {
  const std::string& model = flags.model.model;
  MeasureOptions options;
  options.n_threads = flags.model.n_threads;
  options.quick = flags.quick;
  if (flags.model.verify) options.verify = Verify::full;
  const auto measured = is_path(model) ? measure(model, options) : measure_embedded(model, options);
  if (!measured.ok() && !is_path(model) && measured.error().code == ErrorCode::file_not_found)
    throw UsageError(measured.error().detail + " (a folder needs a slash: ./" + printable(model) + ")");
  const Measurement& m = measured.value();
  print_line(flags.json ? to_json(m, model) : to_text(m, model));
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command =
      app.add_subcommand("bench", "how fast a model is here, and how near to what the machine can do");
  add_model_flags(*command, flags->model);
  command->add_flag("--json", flags->json, "one JSON object");
  command->add_flag("--quick", flags->quick, "coarse figures in little time");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
