// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_CONFIG_READER_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_CONFIG_READER_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/quote.hpp"
#include "qwen3guard/status.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

namespace qwen3guard::detail {

/// Typed access to the keys of one JSON object of config.json. A key with the value null counts as absent.
/// Borrows the file.
class ConfigReader {
 public:
  ConfigReader(const JsonFile& file, simdjson::dom::object object) : file_(file), object_(object) {}

  /// Empty when the key is absent. A key that is there twice has the last value, as in Python.
  [[nodiscard]] std::optional<simdjson::dom::element> find(std::string_view key) const;

  /// Errors: absent, no integer, or not in [1, max].
  [[nodiscard]] Result<std::size_t> size(std::string_view key, std::size_t max) const;
  /// As size(); empty when absent.
  [[nodiscard]] Result<std::optional<std::size_t>> optional_size(std::string_view key, std::size_t max) const;
  /// Errors: absent, no number, not finite, not above `above` or not below `below`.
  [[nodiscard]] Result<double> number(std::string_view key, double above, double below) const;
  /// Errors: no boolean.
  [[nodiscard]] Result<bool> boolean(std::string_view key, bool if_absent) const;
  /// Empty when absent. Errors: no string.
  [[nodiscard]] Result<std::optional<std::string>> string(std::string_view key) const;
  /// Empty when absent. Errors: no object.
  [[nodiscard]] Result<std::optional<simdjson::dom::object>> object(std::string_view key) const;

  /// bad_checkpoint: "<file>: "<key>" <what>".
  template <class... Parts>
  [[nodiscard]] Error error(std::string_view key, const Parts&... what) const {
    return detail::error(ErrorCode::bad_checkpoint, file_.name(), ": ", quote(key), " ", what...);
  }
  /// The same with unsupported_model.
  template <class... Parts>
  [[nodiscard]] Error unsupported(std::string_view key, const Parts&... what) const {
    return detail::error(ErrorCode::unsupported_model, file_.name(), ": ", quote(key), " ", what...);
  }
  [[nodiscard]] const JsonFile& file() const noexcept { return file_; }

 private:
  const JsonFile& file_;
  simdjson::dom::object object_;
};

/// The value as JSON text, shortened: for "found ..." in errors.
[[nodiscard]] std::string json_text(simdjson::dom::element value);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_CONFIG_READER_HPP
