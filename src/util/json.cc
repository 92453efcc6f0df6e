// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <span>
#include <utility>

#include "util/exceptions.hpp"
#include "util/foreign_format.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

Result<JsonFile> JsonFile::parse(std::string_view text, std::string display_name, ErrorCode code,
                                 std::size_t max_bytes) {
  JsonFile file;
  file.name_ = std::move(display_name);
  file.code_ = code;
  text = without_byte_order_mark(text);
  if (text.empty()) text = "";  // simdjson copies from it, and no bytes may be at a null pointer
  if (text.size() > max_bytes) {
    return file.error(text.size(), " bytes; at most ", max_bytes, " are expected");
  }
  const simdjson::error_code failed = if_memory_lasts(
      [&] {
        file.parser_ = std::make_unique<simdjson::dom::parser>();
        return file.parser_->parse(text.data(), text.size()).get(file.root_);
      },
      [] { return simdjson::MEMALLOC; });
  if (failed == simdjson::MEMALLOC)
    return detail::error(ErrorCode::out_of_memory, file.name_, ": no memory to parse it");
  if (failed != simdjson::SUCCESS) {
    const std::string_view what = foreign_format(std::as_bytes(std::span(text)));
    if (!what.empty()) return file.error("is ", what);
    return file.error("not valid JSON: ", simdjson::error_message(failed));
  }
  return file;
}

}  // namespace qwen3guard::detail
