// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_JSON_HPP
#define QWEN3GUARD_SRC_UTIL_JSON_HPP

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"
#include "util/error.hpp"

/// Reading of JSON files with errors that name the file and the key. Private to src/: simdjson is in no
/// header that a user sees. A parsed value lives as long as its JsonFile.
namespace qwen3guard::detail {

/// Bounds for a file's size: parsing takes several times as much memory. @{
inline constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;  ///< config and index files
inline constexpr std::size_t kMaxJsonBytes = std::size_t{1} << 30;     /// @}

/// One parsed document. Move-only.
class JsonFile {
 public:
  /// A byte order mark in front of `text` is skipped. `display_name` names the file in every error, `code` is
  /// their ErrorCode. Errors: `code` (not JSON, not UTF-8, nested too deep, over max_bytes; says what the
  /// file is when it is one of foreign_format()); out_of_memory.
  [[nodiscard]] static Result<JsonFile> parse(std::string_view text, std::string display_name, ErrorCode code,
                                              std::size_t max_bytes = kMaxJsonBytes);

  [[nodiscard]] simdjson::dom::element root() const noexcept { return root_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// An Error of this file: "<name>: <what>".
  template <class... Parts>
  [[nodiscard]] Error error(const Parts&... what) const {
    return detail::error(code_, name_, ": ", what...);
  }

 private:
  JsonFile() = default;
  // On the heap: elements point into the parser, and the file may be moved.
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
  std::string name_;
  ErrorCode code_ = ErrorCode::internal;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_JSON_HPP
