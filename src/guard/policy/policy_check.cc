// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "guard/policy/policy_document.hpp"
#include "guard/policy/policy_fields.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// Goes through a spec until something is wrong.
class SpecCheck {
 public:
  explicit SpecCheck(Status& status, std::string path = {}) : status_(status), path_(std::move(path)) {}

  void schema(std::string_view /*key*/) const {}

  void text(std::string_view key, const std::string& value, std::size_t max_bytes) {
    if (status_.ok()) fail_if(key, text_fault(value, max_bytes));
  }

  template <class Enum>
  void word(std::string_view key, Enum value, Words words) {
    const auto index = static_cast<std::size_t>(value);
    if (status_.ok() && (index >= words.size() || words[index].empty()))
      fail(key, concat("the value ", static_cast<std::int64_t>(value), "; expected ", words_text(words)));
  }

  template <class Number>
  void number(std::string_view key, Number value, const Range<Number>& range) {
    // Written so that NaN is out of range.
    if (status_.ok() && !(value >= range.min && value <= range.max))
      fail(key, concat(value, "; expected ", range_text(range)));
  }

  template <class T>
  void word(std::string_view key, const std::optional<T>& value, Words words) {
    if (value) word(key, *value, words);
  }
  template <class T>
  void number(std::string_view key, const std::optional<T>& value, const Range<T>& range) {
    if (value) number(key, *value, range);
  }

  void flag(std::string_view /*key*/, bool /*value*/) const {}

  template <class Visit>
  void object(std::string_view key, const Visit& visit) {
    if (!status_.ok()) return;
    SpecCheck inner(status_, path_of(key));
    visit(inner);
  }

  void categories(std::string_view /*key*/, std::string_view key,
                  const std::array<CategoryRule, kCategoryCount>& rules, bool /*is_prompt*/) {
    for (std::size_t i = 0; i < rules.size() && status_.ok(); ++i) {
      SpecCheck inner(status_, concat(path_of(key), ".", to_string(static_cast<Category>(i))));
      visit_rule(inner, rules[i]);
      inner.consistent(rules[i]);
    }
  }

  void phrases(std::string_view key, const std::vector<std::string>& phrases) {
    for (std::size_t i = 0; i < phrases.size() && status_.ok(); ++i)
      fail_if(concat(key, "[", i, "]"), phrase_fault(phrases[i]));
  }

  template <class Part>
  void consistent(const Part& part) {
    if (!status_.ok()) return;
    if (const auto fault = contradiction(part)) fail(fault->field, fault->what);
  }

 private:
  [[nodiscard]] std::string path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : concat(path_, ".", key);
  }

  void fail(std::string_view key, std::string_view what) {
    status_ = error(ErrorCode::invalid_argument, path_of(key), ": ", what);
  }

  void fail_if(std::string_view key, const std::string& what) {
    if (!what.empty()) fail(key, what);
  }

  Status& status_;
  std::string path_;
};

}  // namespace

std::string words_text(Words words) {
  std::string out;
  std::size_t n_left = static_cast<std::size_t>(
      std::count_if(words.begin(), words.end(), [](std::string_view word) { return !word.empty(); }));
  for (const std::string_view word : words) {
    if (word.empty()) continue;
    out += concat(quote(word), n_left > 2 ? ", " : n_left == 2 ? " or " : "");
    --n_left;
  }
  return out;
}

std::string text_fault(std::string_view text, std::size_t max_bytes) {
  constexpr std::size_t kMaxShownBytes = 80;
  const bool has_control = std::any_of(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; });
  if (!text.empty() && text.size() <= max_bytes && !has_control && !find_invalid_utf8(text)) return {};
  return concat(quote(text, kMaxShownBytes), "; expected 1 to ", max_bytes,
                " bytes of UTF-8 without control characters");
}

std::string phrase_fault(std::string_view phrase) {
  constexpr std::size_t kMaxShownBytes = 80;
  if (!phrase.empty() && phrase.size() <= kMaxPhraseBytes && !find_invalid_utf8(phrase)) return {};
  return concat(quote(phrase, kMaxShownBytes), "; expected 1 to ", kMaxPhraseBytes, " bytes of UTF-8");
}

Status check_policy(const PolicySpec& spec) {
  Status status;
  SpecCheck check(status);
  visit_policy(check, spec);
  return status;
}

}  // namespace qwen3guard::detail
