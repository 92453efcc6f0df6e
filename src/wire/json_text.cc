// SPDX-License-Identifier: Apache-2.0
#include "wire/json_text.hpp"

#include <algorithm>
#include <cstdint>

#include "qwen3guard/quote.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::wire {
namespace {

constexpr int kMaxDepth = 512;
/// Stands for an unpaired surrogate: no character of UTF-8 has this byte.
constexpr char kIllFormed = '\xFF';

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four digits, checked before.
std::uint32_t hex_value(std::string_view digits) noexcept {
  std::uint32_t value = 0;
  for (const char c : digits) value = (value << 4) | static_cast<std::uint32_t>(hex_digit(c));
  return value;
}

/// The character that `\uXXXX` at in[pos] begins; moves pos past it, and past the other half of a pair.
void append_escaped(std::string_view in, std::size_t& pos, std::string& out) {
  const std::uint32_t unit = hex_value(in.substr(pos + 2, 4));
  pos += 6;
  if (unit < 0xD800 || unit > 0xDFFF) return append_utf8(unit, out);
  if (unit < 0xDC00 && in.substr(pos, 2) == "\\u") {
    const std::uint32_t low = hex_value(in.substr(pos + 2, 4));
    if (low >= 0xDC00 && low <= 0xDFFF) {
      pos += 6;
      return append_utf8(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
    }
  }
  out += kIllFormed;
}

std::string unescape(std::string_view in) {
  constexpr std::string_view kNames = "bfnrt", kCharacters = "\b\f\n\r\t";
  std::string out;
  out.reserve(in.size());
  for (std::size_t pos = 0; pos < in.size();) {
    if (in[pos] != '\\') {
      out += in[pos++];
    } else if (in[pos + 1] == 'u') {
      append_escaped(in, pos, out);
    } else {
      const std::size_t name = kNames.find(in[pos + 1]);
      out += name == std::string_view::npos ? in[pos + 1] : kCharacters[name];
      pos += 2;
    }
  }
  return out;
}

}  // namespace

/// Passes over JSON text once. Functions end behind what they have read.
class JsonScanner {
 public:
  /// is_checked: `text` has passed before; keys are not compared again.
  JsonScanner(std::string_view text, bool is_checked) noexcept : text_(text), is_checked_(is_checked) {}

  JsonValue whole() {
    const JsonValue out = value(0);
    skip_space();
    if (pos_ < text_.size()) fail("the end of the value, and nothing behind it");
    return out;
  }

  template <class Take>
  void array(int depth, const Take& take) {
    list('[', ']', [&] { take(value(depth + 1)); });
  }

  template <class Take>
  void object(int depth, const Take& take) {
    std::vector<std::string> keys;
    list('{', '}', [&] {
      skip_space();
      std::string key = unescape(string());
      skip_space();
      need(':', "':' behind the key");
      // Other readers replace what is ill-formed, and keys that differ in nothing else are one for them.
      if (!is_checked_) keys.push_back(with_replacements(key));
      take(std::move(key), value(depth + 1));
    });
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) throw JsonError("the key " + quote(*twice) + " is given twice in one object");
  }

 private:
  JsonValue value(int depth) {
    skip_space();
    const std::size_t begin = pos_;
    const char c = peek();
    if (depth > kMaxDepth)
      throw JsonError("more than " + std::to_string(kMaxDepth) + " values inside each other");
    if (c == '{') {
      object(depth, [](const std::string&, JsonValue) {});
    } else if (c == '[') {
      array(depth, [](JsonValue) {});
    } else if (c == '"') {
      static_cast<void>(string());
    } else if (c == '-' || is_digit(c)) {
      number();
    } else {
      const std::string_view word = c == 't' ? "true" : c == 'f' ? "false" : "null";
      if (text_.substr(pos_, word.size()) != word) fail("a value");
      pos_ += word.size();
    }
    return JsonValue(text_.substr(begin, pos_ - begin));
  }

  template <class Element>
  void list(char open, char close, const Element& element) {
    skip_space();
    need(open, "a list");
    skip_space();
    if (peek() == close) {
      ++pos_;
      return;
    }
    for (;;) {
      element();
      skip_space();
      if (peek() == close) break;
      need(',', close == ']' ? "',' or ']'" : "',' or '}'");
    }
    ++pos_;
  }

  /// Returns what stands between the quotes.
  std::string_view string() {
    need('"', "a string");
    const std::size_t begin = pos_;
    while (peek() != '"') {
      const char c = text_[pos_];
      if (static_cast<unsigned char>(c) < 0x20) fail("an escape such as \\n for a control character");
      ++pos_;
      if (c == '\\') escape();
    }
    return text_.substr(begin, pos_++ - begin);
  }

  void escape() {
    const char c = peek();
    if (std::string_view("\"\\/bfnrtu").find(c) == std::string_view::npos)
      fail("one of \"\\/bfnrtu behind a backslash");
    ++pos_;
    for (int i = 0; c == 'u' && i < 4; ++i, ++pos_) {
      if (hex_digit(peek()) < 0) fail("four hexadecimal digits behind \\u");
    }
  }

  void number() {
    if (peek() == '-') ++pos_;
    if (peek() == '0') {
      ++pos_;
    } else {
      digits();
    }
    if (next_is(".")) {
      ++pos_;
      digits();
    }
    if (next_is("eE")) {
      ++pos_;
      if (next_is("+-")) ++pos_;
      digits();
    }
  }

  void digits() {
    if (!is_digit(peek())) fail("a digit");
    while (pos_ < text_.size() && is_digit(text_[pos_])) ++pos_;
  }

  [[nodiscard]] bool next_is(std::string_view any) const noexcept {
    return pos_ < text_.size() && any.find(text_[pos_]) != std::string_view::npos;
  }

  void skip_space() noexcept {
    while (next_is(" \t\n\r")) ++pos_;
  }

  [[nodiscard]] char peek() const {
    if (pos_ >= text_.size()) throw JsonError("not JSON: it ends in the middle of a value");
    return text_[pos_];
  }

  void need(char c, const char* expected) {
    if (peek() != c) fail(expected);
    ++pos_;
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw JsonError("not JSON: " + quote(text_.substr(pos_), 16) + " at byte " + std::to_string(pos_) +
                    "; expected " + expected);
  }

  std::string_view text_;
  bool is_checked_;
  std::size_t pos_ = 0;
};

JsonValue JsonValue::parse(std::string_view text) { return JsonScanner(text, false).whole(); }

JsonValue::Kind JsonValue::kind() const noexcept {
  switch (raw_.front()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return Kind::number;
  }
}

std::string JsonValue::text() const { return unquoted(raw_); }

std::vector<JsonValue> JsonValue::items() const {
  std::vector<JsonValue> out;
  JsonScanner(raw_, true).array(0, [&](JsonValue item) { out.push_back(item); });
  return out;
}

std::vector<JsonValue::Member> JsonValue::members() const {
  std::vector<Member> out;
  JsonScanner(raw_, true).object(0, [&](std::string key, JsonValue value) {
    out.push_back({std::move(key), value});
  });
  return out;
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  if (kind() != Kind::object) return std::nullopt;
  std::optional<JsonValue> out;
  JsonScanner(raw_, true).object(0, [&](const std::string& name, JsonValue value) {
    if (name == key) out = value;
  });
  return out;
}

std::string unquoted(std::string_view string) { return unescape(string.substr(1, string.size() - 2)); }

std::string_view take_token(std::string_view& json) noexcept {
  constexpr std::string_view kSpace = " \t\n\r", kPunctuation = "[]{},:";
  json.remove_prefix(std::min(json.find_first_not_of(kSpace), json.size()));
  std::size_t n = json.empty() ? 0 : 1;
  if (json.starts_with('"')) {
    while (json[n] != '"') n += json[n] == '\\' ? 2 : 1;
    ++n;
  } else if (n > 0 && kPunctuation.find(json.front()) == std::string_view::npos) {
    n = std::min(json.find_first_of(" \t\n\r[]{},:"), json.size());
  }
  const std::string_view token = json.substr(0, n);
  json.remove_prefix(n);
  return token;
}

const char* to_string(JsonValue::Kind kind) noexcept {
  switch (kind) {
    case JsonValue::Kind::object:
      return "an object";
    case JsonValue::Kind::array:
      return "an array";
    case JsonValue::Kind::string:
      return "a string";
    case JsonValue::Kind::number:
      return "a number";
    case JsonValue::Kind::boolean:
      return "a boolean";
    case JsonValue::Kind::null:
      return "null";
  }
  return "";
}

}  // namespace qwen3guard::wire
