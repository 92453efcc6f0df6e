// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_JSON_TEXT_HPP
#define QWEN3GUARD_SRC_WIRE_JSON_TEXT_HPP

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace qwen3guard::wire {

/// Text that is not JSON, or an object with a key given twice; what() says where and what was expected.
struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A value in JSON text that was checked as a whole: a slice of that text, which must outlive it.
///
/// Stricter than RFC 8259 in one thing: no object, at any depth, has a key twice, however its letters are
/// escaped. Two readers of such an object read two texts. Looser in two, which the caller decides about:
/// strings may hold bytes that are not UTF-8 and escapes of unpaired surrogates (see text()). Numbers are
/// slices, too, so that they may have any length and value. Pure; the functions throw std::bad_alloc.
class JsonValue {
 public:
  enum class Kind { object, array, string, number, boolean, null };
  struct Member;

  /// Reads the whole of `text`. Throws JsonError; nesting is bounded at 512 levels.
  [[nodiscard]] static JsonValue parse(std::string_view text);

  [[nodiscard]] Kind kind() const noexcept;
  /// As written.
  [[nodiscard]] std::string_view raw() const noexcept { return raw_; }
  /// A string's text. Bytes that are not UTF-8 are as written; an unpaired surrogate is the byte 0xFF, which
  /// is ill-formed like any text that UTF-8 cannot express.
  [[nodiscard]] std::string text() const;
  /// An array's elements.
  [[nodiscard]] std::vector<JsonValue> items() const;
  /// An object's members in their order, their keys as text() would give them.
  [[nodiscard]] std::vector<Member> members() const;
  /// An object's member; nothing when there is none, or when this is no object.
  [[nodiscard]] std::optional<JsonValue> find(std::string_view key) const;

 private:
  explicit JsonValue(std::string_view raw) noexcept : raw_(raw) {}
  friend class JsonScanner;
  std::string_view raw_;
};

struct JsonValue::Member {
  std::string key;
  JsonValue value;
};

/// The text of a string with its quotes: JsonValue::text().
[[nodiscard]] std::string unquoted(std::string_view string);

/// The first token of JSON that was checked: a string with its quotes, a number, a word, a bracket, brace,
/// comma or colon. "" when nothing but space is left. Takes it off `json`.
[[nodiscard]] std::string_view take_token(std::string_view& json) noexcept;

/// "an object", "a string" and so on; for error messages.
[[nodiscard]] const char* to_string(JsonValue::Kind kind) noexcept;

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_JSON_TEXT_HPP
