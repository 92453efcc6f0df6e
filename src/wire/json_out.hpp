// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_JSON_OUT_HPP
#define QWEN3GUARD_SRC_WIRE_JSON_OUT_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace qwen3guard::wire {

/// Builds one line of JSON. Commas are put where they belong; the caller keeps braces balanced.
/// The result is one line of UTF-8 whatever strings hold: escaped are characters that end lines, drive
/// terminals or reorder text; a string that is not UTF-8 is written as printable() shows it.
class JsonOut {
 public:
  /// Begins the outermost object: `"schema"` is the version of the form, `"type"` names one of those that
  /// output.schema.json describes.
  JsonOut& begin_output(std::string_view type);
  JsonOut& begin_object() { return open('{'); }
  JsonOut& end_object() { return close('}'); }
  JsonOut& begin_array() { return open('['); }
  JsonOut& end_array() { return close(']'); }
  JsonOut& key(std::string_view name);
  JsonOut& string(std::string_view value);
  JsonOut& integer(std::int64_t value);
  /// Shortest form that reads back as the same value; null when it is not finite. @{
  JsonOut& number(float value);
  JsonOut& number(double value);  /// @}
  /// With three decimals: times and sizes for people.
  JsonOut& rounded(double value);
  JsonOut& boolean(bool value);
  JsonOut& null();
  /// Text that is JSON already.
  JsonOut& raw(std::string_view json);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  JsonOut& open(char c);
  JsonOut& close(char c);
  JsonOut& value(std::string_view json);
  void separate();

  std::string text_;
  bool need_comma_ = false;
};

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_JSON_OUT_HPP
