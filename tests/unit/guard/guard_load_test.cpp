// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <thread>
#include <vector>

#include "embedded/embedded_models.hpp"
#include "kernels/isa.hpp"
#include "model/weights.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"

using namespace qwen3guard;

namespace {

Error error_of(const Result<Guard>& result) {
  REQUIRE_FALSE(result.ok());
  return result.error();
}

bool mentions(const Error& error, const std::string& text) {
  return error.detail.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("load: the embedded models are what they say", "[guard]") {
  CHECK(Guard::embedded_models() == std::vector<std::string>{"nano-gen", "nano-stream"});
  const Guard gen = Guard::load_embedded("nano-gen").value();
  CHECK(gen.kind() == ModelKind::gen);
  CHECK(gen.info().architecture == "Qwen3ForCausalLM");
  CHECK(gen.info().n_parameters >= 2'000'000);
  CHECK(gen.info().n_parameters <= 16'000'000);
  CHECK(gen.tokenizer() != nullptr);
  const Guard stream = Guard::load_embedded("nano-stream").value();
  CHECK(stream.kind() == ModelKind::stream);
  CHECK(stream.info().architecture == "Qwen3ForGuardModel");
}

TEST_CASE("load: what is compiled in lies where the kernels can read it", "[guard]") {
  for (const std::string& name : Guard::embedded_models()) {
    CAPTURE(name);
    const auto checkpoint = detail::open_embedded(name).value();
    CHECK(checkpoint->name() == "embedded:" + name);
    const auto weights =
        detail::Weights::load(*checkpoint, *detail::select_kernels("scalar").value(), {.verify = true});
    REQUIRE(weights.ok());
    CHECK(weights->copies.empty());
    CHECK(weights->owners.empty());
  }
}

TEST_CASE("load: wrong names and paths are clear errors", "[guard]") {
  const Error unknown = error_of(Guard::load_embedded("nano"));
  CHECK(unknown.code == ErrorCode::file_not_found);
  CHECK(mentions(unknown, "nano-gen"));
  const Error missing = error_of(Guard::load("/no/such/folder"));
  CHECK(missing.code == ErrorCode::file_not_found);
  CHECK(mentions(missing, "/no/such/folder"));
  CHECK(error_of(Guard::load("")).code == ErrorCode::invalid_argument);
  CHECK(error_of(Guard::load(std::string_view("a\0b", 3))).code == ErrorCode::invalid_argument);
  // A folder without a checkpoint, and a file in place of a folder.
  CHECK(mentions(error_of(Guard::load(Q3G_TEST_DIR)), "config.json"));
  CHECK_FALSE(Guard::load(std::string(Q3G_TEST_DIR) + "/CMakeLists.txt").ok());
}

TEST_CASE("load: options out of range are refused", "[guard]") {
  GuardOptions options;
  options.n_threads = -1;
  CHECK(error_of(Guard::load_embedded("nano-gen", options)).code == ErrorCode::invalid_argument);
  options = {};
  options.max_context_tokens = -5;
  CHECK(error_of(Guard::load_embedded("nano-gen", options)).code == ErrorCode::invalid_argument);
  options = {};
  options.isa = "pentium";
  const Error isa = error_of(Guard::load_embedded("nano-gen", options));
  CHECK(isa.code == ErrorCode::unsupported_isa);
  CHECK(mentions(isa, "scalar"));
}

TEST_CASE("load: every available instruction set can be forced and is the one in use", "[guard][isa]") {
  const std::vector<std::string> isas = Guard::load_embedded("nano-gen").value().info().isa_available;
  REQUIRE(isas.back() == "scalar");
  for (const std::string& isa : isas) {
    CAPTURE(isa);
    GuardOptions options;
    options.isa = isa;
    CHECK(Guard::load_embedded("nano-gen", options).value().info().isa == isa);
  }
}

TEST_CASE("guard: a copy and a session outlive the guard they came from", "[guard]") {
  auto guard = std::make_unique<Guard>(Guard::load_embedded("nano-stream").value());
  StreamOptions options;
  options.max_tokens = 256;
  StreamSession session = guard->open_stream(options).value();
  const Tokenizer tokenizer = *guard->tokenizer();
  guard.reset();
  CHECK(session.push_prompt("Hello").ok());
  CHECK(tokenizer.encode("Hello").ok());
}

TEST_CASE("logits: shapes, order of heads, last only", "[guard][logits]") {
  const std::vector<TokenId> ids = {5, 6, 7};
  const Guard gen = Guard::load_embedded("nano-gen").value();
  const auto all = gen.logits(ids).value();
  REQUIRE(all.size() == 1);
  CHECK(all[0].name == "logits");
  CHECK(all[0].rows == 3);
  CHECK(all[0].cols == gen.info().vocab_size);
  const auto last = gen.logits(ids, true).value();
  CHECK(last[0].rows == 1);
  const auto n_cols = static_cast<std::size_t>(all[0].cols);
  for (std::size_t c = 0; c < n_cols; c += 97)
    CHECK(last[0].values[c] == Approx(all[0].values[2 * n_cols + c]).margin(1e-4));

  const auto heads = Guard::load_embedded("nano-stream").value().logits(ids, true).value();
  REQUIRE(heads.size() == 4);
  CHECK(heads[0].name == "risk_level_logits");
  CHECK(heads[1].name == "category_logits");
  CHECK(heads[2].name == "query_risk_level_logits");
  CHECK(heads[3].name == "query_category_logits");
  CHECK(heads[0].cols == 3);
  CHECK(heads[1].cols == 8);
  CHECK(heads[3].cols == 9);
}

TEST_CASE("logits: bad ids are refused", "[guard][logits]") {
  const Guard gen = Guard::load_embedded("nano-gen").value();
  CHECK(gen.logits({}).error().code == ErrorCode::invalid_argument);
  for (const TokenId bad : {TokenId{-1}, TokenId{gen.info().vocab_size}, TokenId{INT32_MAX}}) {
    CHECK(gen.logits(std::vector<TokenId>{1, bad}).error().code == ErrorCode::token_out_of_range);
  }
  GuardOptions options;
  options.max_context_tokens = 4;
  const Guard small = Guard::load_embedded("nano-gen", options).value();
  CHECK(small.logits(std::vector<TokenId>(4, 1)).ok());
  CHECK(small.logits(std::vector<TokenId>(5, 1)).error().code == ErrorCode::context_full);
}
