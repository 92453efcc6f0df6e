// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/prefix_blob.hpp"

#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "model/checkpoint/open_checkpoint.hpp"
#include "model/model.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

struct TemporaryPath {
  std::string path = (std::filesystem::temp_directory_path() /
                      ("q3g-prefix-" + std::to_string(std::random_device{}()) + ".q3g"))
                         .string();
  ~TemporaryPath() { std::filesystem::remove(path); }
};

std::string pack(const TemporaryPath& file, bool keep_prefix, PackedWeights type = PackedWeights::int8) {
  QuantizeOptions options;
  options.type = type;
  options.keep_prefix = keep_prefix;
  (void)quantize(test::tiny("gen"), file.path, options).value();
  return file.path;
}

}  // namespace

TEST_CASE("kept prefix: in the file, it changes no bit and saves the first call's work", "[gen][prefix]") {
  const TemporaryPath with, without;
  for (const PackedWeights type : all_packed_weights()) {
    {
      QuantizeOptions options;
      options.type = type;
      options.overwrite = true;
      (void)quantize(test::tiny("gen"), without.path, options).value();
      options.keep_prefix = true;
      (void)quantize(test::tiny("gen"), with.path, options).value();
    }
    CHECK_FALSE(std::filesystem::exists(with.path + ".without-prefix"));
    const Guard fast = Guard::load(with.path).value(), slow = Guard::load(without.path).value();
    for (int i = 0; i < 3; ++i) {
      const std::string text = "Question number " + std::to_string(i);
      const Verdict a = fast.classify_prompt(text).value(), b = slow.classify_prompt(text).value();
      CHECK(a.tokens.cached > 100);
      CHECK(a.probabilities.safe == b.probabilities.safe);
      CHECK(a.text == b.text);
      const Verdict c = fast.classify_response(text, "No.").value(),
                    d = slow.classify_response(text, "No.").value();
      CHECK(c.probabilities.safe == d.probabilities.safe);
    }
    // Pages of the file are read by all calls and written by none.
    CHECK(verify_packed(with.path).ok());
  }
}

TEST_CASE("kept prefix: a Stream checkpoint has none", "[prefix]") {
  const TemporaryPath file;
  QuantizeOptions options;
  options.keep_prefix = true;
  const auto report = quantize(test::tiny("stream"), file.path, options);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().code == ErrorCode::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(file.path));
  CHECK_FALSE(std::filesystem::exists(file.path + ".without-prefix"));
}

TEST_CASE("kept prefix: damaged bytes are an error or other numbers, never a crash", "[prefix][malformed]") {
  const TemporaryPath file;
  pack(file, true);
  const auto checkpoint = detail::open_checkpoint(file.path).value();
  const auto model = detail::Model::load(*checkpoint, {1, ""}).value();
  const detail::Blob good = checkpoint->kept(detail::prefix_file_name(Role::user)).value()->blob;
  REQUIRE(detail::read_prefix(good, model->config(), model->kv_type(), "prefix").ok());
  const auto read = [&](const std::vector<std::byte>& bytes) {
    return detail::read_prefix({bytes, nullptr}, model->config(), model->kv_type(), "prefix");
  };
  const std::vector<std::byte> all(good.bytes.begin(), good.bytes.end());
  for (const std::size_t n : {std::size_t{0}, std::size_t{7}, std::size_t{35}, std::size_t{36},
                              std::size_t{37}, std::size_t{500}, all.size() - 1}) {
    const auto result = read({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)});
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::bad_checkpoint);
    CHECK(result.error().detail.find("prefix: ") == 0);
  }
  for (const auto type : {detail::KvType::f16, detail::KvType::f32}) {
    const auto other = detail::read_prefix(good, model->config(), type, "prefix");
    REQUIRE_FALSE(other.ok());
    CHECK(other.error().code == ErrorCode::bad_checkpoint);
    CHECK(other.error().detail.find("prefix: has keys and values as bf16, expected ") == 0);
  }
  const std::uint32_t seed = 5;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  int n_errors = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::byte> bytes = all;
    bytes[random() % 800] = static_cast<std::byte>(random());
    const auto result = read(bytes);
    if (!result.ok()) {
      ++n_errors;
      CHECK(result.error().code == ErrorCode::bad_checkpoint);
    }
  }
  CHECK(n_errors > 50);  // every byte of the header, and the upper bytes of ids
}
