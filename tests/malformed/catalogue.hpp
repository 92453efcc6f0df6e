// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_MALFORMED_CATALOGUE_HPP
#define QWEN3GUARD_TESTS_MALFORMED_CATALOGUE_HPP

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "malformed/checkpoint_builder.hpp"
#include "model/model.hpp"
#include "q3g_catch.hpp"

/// The form of the catalogue: each case breaks a sound checkpoint in one place and says how loading must
/// refuse it.
namespace q3g_test {

using qwen3guard::ErrorCode;
using qwen3guard::detail::Model;

struct Case {
  const char* name;
  CheckpointSpec (*base)();
  std::function<void(CheckpointSpec&)> break_it;
  ErrorCode code;
  std::vector<std::string> words;  ///< must occur in the detail
};

inline constexpr auto kBad = ErrorCode::bad_checkpoint;
inline constexpr auto kUnsupported = ErrorCode::unsupported_model;
inline const std::string kQ = "model.layers.0.self_attn.q_proj.weight";
inline const std::string kUp = "model.layers.0.mlp.up_proj.weight";
inline const std::string kFile = "memory/model.safetensors";

inline std::function<void(CheckpointSpec&)> config(const char* key, const char* value) {
  return [=](CheckpointSpec& c) { c.config[key] = value; };
}
inline std::function<void(CheckpointSpec&)> no_config(const char* key) {
  return [=](CheckpointSpec& c) { c.config.erase(key); };
}
inline std::function<void(CheckpointSpec&)> model_file(std::string bytes) {
  return [bytes = std::move(bytes)](CheckpointSpec& c) { c.raw["model.safetensors"] = bytes; };
}
inline std::function<void(CheckpointSpec&)> shape(const std::string& tensor,
                                                  std::vector<std::uint64_t> sizes) {
  return [=](CheckpointSpec& c) {
    c.model.at(tensor).shape = sizes;
    c.model.lay_out();
  };
}
inline std::function<void(CheckpointSpec&)> dtype(const std::string& tensor, const char* name) {
  return [=](CheckpointSpec& c) {
    c.model.at(tensor).dtype = name;
    c.model.lay_out();
  };
}
inline std::function<void(CheckpointSpec&)> without_tensor(const std::string& tensor) {
  return [=](CheckpointSpec& c) { c.model.remove(tensor); };
}
inline std::function<void(CheckpointSpec&)> replace_in_header(std::string from, std::string to) {
  return [=](CheckpointSpec& c) {
    std::string header = c.model.header();
    const std::size_t at = header.find(from);
    if (at == std::string::npos) throw std::logic_error("not in the header: " + from);
    header.replace(at, from.size(), to);
    c.raw["model.safetensors"] = FileSpec::with_length(header, header.size()) +
                                 std::string(static_cast<std::size_t>(c.model.n_data), '\x11');
  };
}
inline void check(const std::vector<Case>& cases) {
  for (const Case& item : cases) {
    CheckpointSpec checkpoint = item.base();
    item.break_it(checkpoint);
    const auto contents = checkpoint.contents();
    const auto model = load_model(contents);
    INFO(item.name);
    REQUIRE_FALSE(model.ok());
    INFO(model.error().detail);
    CHECK(std::string(to_string(model.error().code)) == to_string(item.code));
    for (const std::string& word : item.words) {
      INFO("expected: " << word);
      CHECK(model.error().detail.find(word) != std::string::npos);
    }
  }
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_MALFORMED_CATALOGUE_HPP
