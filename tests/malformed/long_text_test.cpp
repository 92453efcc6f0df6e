// SPDX-License-Identifier: Apache-2.0
// Errors repeat a bounded part of what they complain of, on one line, however long it is.
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "malformed/catalogue.hpp"
#include "model/checkpoint/packed_file.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "util/output_file.hpp"
#include "util/utf8.hpp"

using namespace q3g_test;
using namespace qwen3guard;

namespace {

constexpr std::size_t kLongBytes = 3'000'000;
/// Several quotations of 200 bytes and the sentence around them.
constexpr std::size_t kMaxDetailBytes = 1000;

/// Line breaks, terminal sequences and characters of several bytes; `in_json` with JSON's escapes.
std::string long_text(bool in_json) {
  const std::string piece =
      in_json ? "\\n\\u001b[2J\xC3\xA9\xE2\x80\xAE x" : "\n\x1B[2J\xC3\xA9\xE2\x80\xAE x";
  std::string out;
  while (out.size() < kLongBytes) out += piece;
  return out;
}

void check_detail(const Error& error) {
  CAPTURE(error.detail.substr(0, 2 * kMaxDetailBytes));
  CHECK(error.detail.size() < kMaxDetailBytes);
  CHECK_FALSE(detail::find_invalid_utf8(error.detail).has_value());
  CHECK(std::none_of(error.detail.begin(), error.detail.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  CHECK(error.detail.find("\xE2\x80\xAE") == std::string::npos);
}

}  // namespace

TEST_CASE("long text: values and names in a checkpoint's files", "[model][malformed]") {
  const std::string text = long_text(true), quoted = "\"" + text + "\"";
  const auto named = [&](const std::string& tensor) {
    return [&text, tensor](CheckpointSpec& c) {
      c.model.at(tensor).name = text;
      c.model.lay_out();
    };
  };
  const auto entry = [&](const std::string& value) {
    return [&quoted, value](CheckpointSpec& c) { c.model.extra_header = quoted + ":" + value + ","; };
  };
  const auto header = [](const std::string& members) {
    return [members](CheckpointSpec& c) { c.model.extra_header = members + ","; };
  };
  const auto value = [](const char* key, const std::string& json) {
    return [key, json](CheckpointSpec& c) { c.config[key] = json; };
  };
  const auto index = [](const std::string& weight_map) {
    return [weight_map](CheckpointSpec& c) {
      c.raw["model.safetensors"] = CheckpointSpec::kAbsent;
      c.raw["model.safetensors.index.json"] = "{\"weight_map\":{" + weight_map + "}}";
    };
  };
  const std::vector<std::pair<const char*, std::function<void(CheckpointSpec&)>>> cases = {
      {"architectures", value("architectures", "[" + quoted + "]")},
      {"hidden_act", value("hidden_act", quoted)},
      {"a size", value("hidden_size", quoted)},
      {"rope type", value("rope_scaling", "{\"type\":" + quoted + "}")},
      {"layer type", value("layer_types", "[" + quoted + "]")},
      {"eos", value("eos_token_id", quoted)},
      {"a tensor that is no object", entry("1")},
      {"a tensor without a dtype", entry("{}")},
      {"a tensor whose shape has no place", entry(R"({"dtype":"F32","shape":[1],"data_offsets":[0,9]})")},
      {"an overlap with a tensor", entry(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})")},
      {"a dtype", [&](CheckpointSpec& c) { c.model.at(kQ).dtype = text; }},
      {"a last tensor",
       [&](CheckpointSpec& c) {
         named("model.norm.weight")(c);
         c.model.n_data += 2;
       }},
      {"a metadata key", header("\"__metadata__\":{" + quoted + ":1}")},
      {"a packed version", header("\"__metadata__\":{\"qwen3guard_packed\":" + quoted + "}")},
      {"a packed header's sum",
       header("\"__metadata__\":{\"qwen3guard_packed\":\"1\",\"xxh3_header\":" + quoted + "}")},
      {"a tensor in an index", index(quoted + ":1")},
      {"a shard", index("\"a\":" + quoted)},
      {"a missing shard", index("\"a\":\"" + std::string(kLongBytes, 'a') + "\"")},
      {"a shard and a tensor", index(quoted + ":\"../a\"")},
  };
  for (const auto& [name, break_it] : cases) {
    CAPTURE(name);
    CheckpointSpec checkpoint = causal_checkpoint();
    break_it(checkpoint);
    const auto contents = checkpoint.contents();
    const auto model = load_model(contents);
    REQUIRE_FALSE(model.ok());
    check_detail(model.error());
  }
  for (const std::string key : {"response_risk_level_map", "response_category_map"}) {
    CheckpointSpec checkpoint = guard_checkpoint();
    checkpoint.config.erase("num_risk_level");
    checkpoint.config.erase("num_category");
    for (const std::string& map : {"{\"0\":" + quoted + "}", "{" + quoted + ":\"Safe\"}", quoted,
                                   "{\"0\":" + quoted + ",\"1\":" + quoted + "}"}) {
      checkpoint.config[key] = map;
      const auto contents = checkpoint.contents();
      const auto model = load_model(contents);
      REQUIRE_FALSE(model.ok());
      check_detail(model.error());
    }
  }
}

TEST_CASE("long text: names of files, models and instruction sets", "[model][malformed]") {
  const std::string text = long_text(false);
  check_detail(Guard::load(text).error());
  check_detail(Guard::load("./" + text).error());
  check_detail(Guard::load_embedded(text).error());
  check_detail(quantize(text, "/no/such/folder/out").error());
  check_detail(verify_packed(text).error());
  check_detail(Tokenizer::load(text).error());
  check_detail(detail::OutputFile::create(text, false).error());
  const std::string deep = "/tmp/" + std::string(kLongBytes, '/') + "no/such/folder/out";
  check_detail(detail::OutputFile::create(deep, false).error());
  check_detail(Guard::load(deep).error());
  GuardOptions options;
  options.isa = text;
  const auto contents = causal_checkpoint().contents();
  std::vector<ModelFile> files;
  for (const auto& [name, bytes] : contents)
    files.push_back({name, std::as_bytes(std::span<const char>(bytes.data(), bytes.size()))});
  check_detail(Guard::load_memory(files, nullptr, options).error());
  check_detail(Guard::load_memory(std::vector<ModelFile>{{text, files[0].bytes}}, nullptr).error());
}
