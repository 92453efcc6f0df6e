// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <optional>

#include "qwen3guard/quote.hpp"
#include "tokenizer/pattern.hpp"
#include "tokenizer/unicode_classes.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::string_view kLookAhead = R"(\s+(?!\S))";

/// The members of \p{L} or \p{N} as the inside of a bracket expression, so that RE2's own Unicode version has
/// no say.
std::string class_ranges(CharClass wanted) {
  std::string out;
  const auto add = [&](std::uint32_t code_point) {
    char text[16];
    const int n = std::snprintf(text, sizeof text, "\\x{%X}", static_cast<unsigned>(code_point));
    out.append(text, static_cast<std::size_t>(n));
  };
  constexpr std::uint32_t kEnd = 0x110000;
  for (std::uint32_t first = 0; first < kEnd; ++first) {
    if (UnicodeClasses::char_class(first) != wanted) continue;
    std::uint32_t last = first;
    while (last + 1 < kEnd && UnicodeClasses::char_class(last + 1) == wanted) ++last;
    add(first);
    out.push_back('-');
    add(last);
    first = last;
  }
  return out;
}

/// Rewrites from left to right. Each member function appends what it has consumed.
class Rewriter {
 public:
  explicit Rewriter(std::string_view regex) : regex_(regex) {}

  Result<RewrittenPattern> run() {
    while (pos_ < regex_.size()) {
      if (at_look_ahead_alternative()) {
        pos_ += kLookAhead.size();
        out_.has_look_ahead = true;
        out_.main.append("(?P<").append(kSpacesGroup).append(">[").append(spaces()).append("]+)");
        out_.fallback.append("[^\\x{0}-\\x{10FFFF}]");  // matches nothing
      } else {
        Q3G_TRY(one_item());
      }
    }
    return std::move(out_);
  }

 private:
  static std::string_view spaces() { return R"(\t-\r \x{85}\p{Z})"; }

  void emit(std::string_view text) {
    out_.main.append(text);
    out_.fallback.append(text);
  }
  [[nodiscard]] bool starts_with(std::string_view text) const {
    return regex_.substr(pos_).starts_with(text);
  }
  template <class... Parts>
  [[nodiscard]] Error refuse(const Parts&... what) const {
    return error(ErrorCode::unsupported_model, "the pattern ", quote(regex_), " has ", what..., " at byte ",
                 pos_, ", which RE2 cannot match");
  }

  /// \s+(?!\S) as a whole alternative outside of all groups; once, because it has one group.
  [[nodiscard]] bool at_look_ahead_alternative() const {
    if (depth_ != 0 || out_.has_look_ahead || !starts_with(kLookAhead)) return false;
    const std::size_t end = pos_ + kLookAhead.size();
    return (pos_ == 0 || (regex_[pos_ - 1] == '|' && (pos_ < 2 || regex_[pos_ - 2] != '\\'))) &&
           (end == regex_.size() || regex_[end] == '|');
  }

  Status one_item() {
    const char c = regex_[pos_];
    if (c == '\\') return escape(false);
    if (c == '[') return bracket();
    if (c == '(') return group();
    if (c == '*' || c == '+' || c == '?' || c == '}') {
      if (pos_ + 1 < regex_.size() && regex_[pos_ + 1] == '+') return refuse("a possessive quantifier");
    }
    if (c == ')') --depth_;
    // The reference's engine takes these for line boundaries.
    emit(c == '^' ? "(?m:^)" : c == '$' ? "(?m:$)" : regex_.substr(pos_, 1));
    ++pos_;
    return {};
  }

  Status group() {
    ++depth_;
    if (!starts_with("(?")) {
      emit("(?:");
      ++pos_;
      return {};
    }
    for (const std::string_view plain : {"(?:", "(?i:", "(?-i:"}) {
      if (!starts_with(plain)) continue;
      emit(plain);
      pos_ += plain.size();
      return {};
    }
    for (const std::string_view look : {"(?=", "(?!", "(?<=", "(?<!"}) {
      if (starts_with(look)) return refuse("the look-around ", look, "...)");
    }
    return refuse("the group ", printable(regex_.substr(pos_, 3)), "...)");
  }

  /// [...] without nested brackets or &&.
  Status bracket() {
    const std::size_t first = pos_ + (starts_with("[^") ? 2u : 1u);
    emit(regex_.substr(pos_, first - pos_));
    for (pos_ = first; pos_ < regex_.size();) {
      const char c = regex_[pos_];
      if (c == '[') return refuse("a bracket inside brackets");
      if (starts_with("&&")) return refuse("&& inside brackets");
      if (c == ']' && pos_ == first) return refuse("an empty bracket expression");
      if (c == '\\') {
        Q3G_TRY(escape(true));
        continue;
      }
      emit(regex_.substr(pos_++, 1));
      if (c == ']') return {};
    }
    return refuse("no end of a bracket expression");
  }

  /// Emits a class given by its members, negated or not.
  Status emit_class(std::string_view members, bool negated, bool in_bracket) {
    if (in_bracket && negated) return refuse("a negated class inside brackets");
    if (!in_bracket) emit(negated ? "[^" : "[");
    emit(members);
    if (!in_bracket) emit("]");
    return {};
  }

  Status property(bool in_bracket) {
    const std::size_t close = regex_.find('}', pos_);
    if (!starts_with(std::string{'\\', regex_[pos_ + 1], '{'}) || close == std::string_view::npos)
      return refuse("a property without {name}");
    std::string_view name = regex_.substr(pos_ + 3, close - pos_ - 3);
    bool negated = regex_[pos_ + 1] == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    std::string members = "\\p{" + std::string(name) + "}";
    if (name == "L") members = letters();
    if (name == "N") members = numbers();
    Q3G_TRY(emit_class(members, negated, in_bracket));
    pos_ = close + 1;
    return {};
  }

  Status escape(bool in_bracket) {
    if (pos_ + 1 == regex_.size()) return refuse("a backslash at the end");
    const char c = regex_[pos_ + 1];
    const bool upper = c >= 'A' && c <= 'Z';
    std::string_view members;
    switch (c) {
      case 'p':
      case 'P':
        return property(in_bracket);
      case 's':
      case 'S':
        members = spaces();
        break;
      case 'd':
      case 'D':
        members = R"(\p{Nd})";
        break;
      case 'w':
      case 'W':
        members = R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc})";
        break;
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'v':
      case 'x':
      case 'A':
      case 'z':
        emit(regex_.substr(pos_, 2));
        pos_ += 2;
        return {};
      default: {
        const bool word = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (word) return refuse("the escape \\", std::string(1, c));
        emit(regex_.substr(pos_, 2));
        pos_ += 2;
        return {};
      }
    }
    Q3G_TRY(emit_class(members, upper, in_bracket));
    pos_ += 2;
    return {};
  }

  const std::string& letters() {
    if (letters_.empty()) letters_ = class_ranges(CharClass::letter);
    return letters_;
  }
  const std::string& numbers() {
    if (numbers_.empty()) numbers_ = class_ranges(CharClass::number);
    return numbers_;
  }

  std::string_view regex_;
  std::size_t pos_ = 0;
  int depth_ = 0;  // open groups
  RewrittenPattern out_;
  std::string letters_, numbers_;
};

}  // namespace

Result<RewrittenPattern> rewrite_pattern(std::string_view regex) { return Rewriter(regex).run(); }

}  // namespace qwen3guard::detail
