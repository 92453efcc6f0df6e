// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "guard/policy/policy_document.hpp"
#include "guard/policy/policy_fields.hpp"
#include "qwen3guard/quote.hpp"
#include "util/number_text.hpp"

namespace qwen3guard::detail {
namespace {

/// Of text that is UTF-8: quote() writes JSON's escapes.
std::string json_string(std::string_view text) {
  return quote(text, std::numeric_limits<std::size_t>::max());
}

/// Writes one object, a member a line.
class ObjectWriter {
 public:
  ObjectWriter(std::string& out, std::size_t depth) : out_(out), depth_(depth) { out_ += '{'; }
  void end() {
    if (!is_empty_) new_line(depth_);
    out_ += '}';
  }

  void schema(std::string_view name) { key(name) += concat(kPolicySchema); }
  void text(std::string_view name, const std::string& value, std::size_t /*max_bytes*/) {
    key(name) += json_string(value);
  }
  void flag(std::string_view name, bool value) { key(name) += value ? "true" : "false"; }

  template <class Enum>
  void word(std::string_view name, Enum value, Words words) {
    key(name) += json_string(words[static_cast<std::size_t>(value)]);
  }
  template <class Number>
  void number(std::string_view name, Number value, const Range<Number>& /*range*/) {
    key(name) += concat(value);
  }
  template <class T>
  void word(std::string_view name, const std::optional<T>& value, Words words) {
    if (value) word(name, *value, words);
  }
  template <class T>
  void number(std::string_view name, const std::optional<T>& value, const Range<T>& range) {
    if (value) number(name, *value, range);
  }

  template <class Visit>
  void object(std::string_view name, const Visit& visit) {
    key(name);
    ObjectWriter inner(out_, depth_ + 1);
    visit(inner);
    inner.end();
  }

  /// All categories that there are for the role. A response's rule for Jailbreak, which cannot be named, is
  /// what `default` is for.
  void categories(std::string_view default_name, std::string_view name,
                  const std::array<CategoryRule, kCategoryCount>& rules, bool is_prompt) {
    constexpr auto kJailbreak = static_cast<std::size_t>(Category::jailbreak);
    if (!is_prompt && rules[kJailbreak] != CategoryRule()) rule(default_name, rules[kJailbreak]);
    object(name, [&](ObjectWriter& inner) {
      for (std::size_t i = 0; i < rules.size(); ++i) {
        if (is_prompt || i != kJailbreak) inner.rule(to_string(static_cast<Category>(i)), rules[i]);
      }
    });
  }

  void phrases(std::string_view name, const std::vector<std::string>& values) {
    key(name) += '[';
    for (const std::string& value : values) {
      if (&value != values.data()) out_ += ',';
      new_line(depth_ + 2);
      out_ += json_string(value);
    }
    if (!values.empty()) new_line(depth_ + 1);
    out_ += ']';
  }

  template <class Part>
  void consistent(const Part& /*part*/) const {}

 private:
  void rule(std::string_view name, const CategoryRule& rule) {
    if (!rule.controversial && !has_thresholds(rule)) return word(name, rule.unsafe, kActionWords);
    object(name, [&](ObjectWriter& inner) {
      if (!has_thresholds(rule)) return visit_rule(inner, rule);
      inner.number("flag_threshold", rule.flag_threshold, kProbabilityRange);
      inner.number("block_threshold", rule.block_threshold, kProbabilityRange);
    });
  }

  std::string& key(std::string_view name) {
    if (!is_empty_) out_ += ',';
    is_empty_ = false;
    new_line(depth_ + 1);
    return out_ += concat(json_string(name), ": ");
  }

  void new_line(std::size_t depth) {
    out_ += '\n';
    out_.append(2 * depth, ' ');
  }

  std::string& out_;
  std::size_t depth_;
  bool is_empty_ = true;
};

}  // namespace

std::string write_policy(const PolicySpec& spec) {
  std::string out;
  ObjectWriter writer(out, 0);
  visit_policy(writer, spec);
  writer.end();
  return out += '\n';
}

}  // namespace qwen3guard::detail
