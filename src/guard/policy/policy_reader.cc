// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "guard/policy/policy_document.hpp"
#include "guard/policy/policy_fields.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/foreign_format.hpp"
#include "util/json.hpp"
#include "util/json_position.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kMaxShownJsonBytes = 80;

/// A value in the document: the member or element `index` of the value above it.
struct Place {
  const Place* parent = nullptr;  ///< null: the document itself
  std::string_view key;           ///< empty: an element of an array
  std::size_t index = 0;
};

/// The first thing that is wrong; all reading stops behind it.
struct DocumentFault {
  std::vector<std::size_t> path;  ///< as find_json_value() takes it
  std::string what;               ///< with the path as people read it
};

void append_path(const Place& place, std::string& names, std::vector<std::size_t>& indices) {
  if (place.parent == nullptr) return;
  append_path(*place.parent, names, indices);
  indices.push_back(place.index);
  if (place.key.empty()) {
    names += concat("[", place.index, "]");
  } else {
    names += concat(names.empty() ? "" : ".", printable(place.key, kMaxShownJsonBytes));
  }
}

/// Optimal string alignment: letters added, left out, changed, and neighbours swapped.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cost((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = cost[i * width + j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      const std::size_t* above = &here - width;
      here = std::min({above[0] + 1, (&here)[-1] + 1, above[-1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here = std::min(here, cost[(i - 2) * width + j - 2] + 1);
    }
  }
  return cost.back();
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// "unknown key; did you mean ...?", or the list of those that are known.
std::string unknown_key(std::string_view given, std::span<const std::string_view> known, const char* noun) {
  constexpr std::size_t kLongestKey = 64;
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, given.size() / 4) + 1;
  std::string all;
  for (const std::string_view name : known) {
    all += concat(all.empty() ? "" : ", ", name);
    if (given.empty() || given.size() > kLongestKey) continue;
    const std::size_t distance = edit_distance(lower_ascii(given), lower_ascii(name));
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  if (!best.empty()) return concat("unknown ", noun, "; did you mean ", quote(best), "?");
  return concat("unknown ", noun, "; expected one of: ", all);
}

/// Reads one object. Each field function is called twice: at first to learn which keys there are, so that an
/// unknown one is found before anything is read; then to read.
class ObjectReader {
 public:
  ObjectReader(std::optional<DocumentFault>& fault, const Place& place) : fault_(fault), place_(place) {}

  template <class Visit>
  void read(simdjson::dom::element value, const Visit& visit) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return fail(place_, unlike(value, "an object"));
    visit(*this);
    is_reading_ = true;
    take_members(object);
    visit(*this);
  }

  void schema(std::string_view key) {
    std::string ignored;
    if (const Member* member = find("$schema")) read_string(*member, ignored);  // for editors
    if (find(key) == nullptr) fail_missing(key, concat("expected ", kPolicySchema));
  }

  void text(std::string_view key, std::string& out, std::size_t max_bytes) {
    const Member* member = find(key);
    if (member == nullptr)
      return fail_missing(key,
                          concat("expected 1 to ", max_bytes, " bytes of text, which every ruling names"));
    if (!read_string(*member, out)) return;
    const std::string fault = text_fault(out, max_bytes);
    if (!fault.empty()) fail(place_of(*member), fault);
  }

  template <class Enum>
  void word(std::string_view key, Enum& out, Words words) {
    if (const Member* member = find(key)) read_word(place_of(*member), member->value, out, words);
  }
  template <class T>
  void word(std::string_view key, std::optional<T>& out, Words words) {
    if (find(key) != nullptr) word(key, out.emplace(), words);
  }

  template <class Number>
  void number(std::string_view key, Number& out, const Range<Number>& range) {
    const Member* member = find(key);
    if (member == nullptr) return;
    constexpr bool kIsWhole = std::is_integral_v<Number>;
    double value = 0;
    const bool is_number =
        member->value.get(value) == simdjson::SUCCESS && (!kIsWhole || std::trunc(value) == value);
    if (is_number && value >= static_cast<double>(range.min) && value <= static_cast<double>(range.max)) {
      out = static_cast<Number>(value);
    } else {
      const std::string expected = is_number && value > static_cast<double>(range.max)
                                       ? concat(range.min, " to ", range.max)
                                       : range_text(range);
      const char* noun = is_number ? "" : kIsWhole ? "a whole number, " : "a number, ";
      fail(place_of(*member), unlike(member->value, concat(noun, expected)));
    }
  }
  template <class T>
  void number(std::string_view key, std::optional<T>& out, const Range<T>& range) {
    if (find(key) != nullptr) number(key, out.emplace(), range);
  }

  void flag(std::string_view key, bool& out) {
    const Member* member = find(key);
    if (member != nullptr && member->value.get(out) != simdjson::SUCCESS)
      fail(place_of(*member), unlike(member->value, "true or false"));
  }

  template <class Visit>
  void object(std::string_view key, const Visit& visit) {
    const Member* member = find(key);
    if (member == nullptr) return;
    const Place place = place_of(*member);
    ObjectReader(fault_, place).read(member->value, visit);
  }

  void categories(std::string_view default_key, std::string_view key,
                  std::array<CategoryRule, kCategoryCount>& rules, bool is_prompt) {
    if (const Member* member = find(default_key)) {
      CategoryRule rule;
      read_rule(place_of(*member), member->value, rule);
      rules.fill(rule);
    }
    if (const Member* member = find(key)) read_categories(place_of(*member), member->value, rules, is_prompt);
  }

  void phrases(std::string_view key, std::vector<std::string>& out) {
    const Member* member = find(key);
    if (member == nullptr) return;
    const Place place = place_of(*member);
    simdjson::dom::array array;
    if (member->value.get(array) != simdjson::SUCCESS)
      return fail(place, unlike(member->value, "an array of strings"));
    out.clear();
    for (const simdjson::dom::element value : array) {
      const Place here{&place, {}, out.size()};
      std::string_view phrase;
      if (value.get(phrase) != simdjson::SUCCESS) return fail(here, unlike(value, "a string"));
      const std::string fault = phrase_fault(phrase);
      if (!fault.empty()) return fail(here, fault);
      out.emplace_back(phrase);
    }
  }

  template <class Part>
  void consistent(const Part& part) {
    if (!is_reading_ || fault_) return;
    const auto fault = contradiction(part);
    if (!fault) return;
    const Member* member = find(fault->field);
    fail(member == nullptr ? place_ : place_of(*member), fault->what);
  }

 private:
  struct Member {
    std::string_view key;
    simdjson::dom::element value;
    std::size_t index = 0;
  };

  [[nodiscard]] Place place_of(const Member& member) const noexcept {
    return {&place_, member.key, member.index};
  }

  /// Null: it is not given, or nothing is to be read.
  const Member* find(std::string_view key) {
    if (!is_reading_) known_.push_back(key);
    if (fault_) return nullptr;
    for (const Member& member : members_) {
      if (member.key == key) return &member;
    }
    return nullptr;
  }

  void take_members(simdjson::dom::object object) {
    if (place_.parent == nullptr) check_schema(object);
    std::size_t index = 0;
    for (const auto field : object) {
      const Member member{field.key, field.value, index++};
      if (std::find(known_.begin(), known_.end(), member.key) == known_.end())
        return fail(place_of(member), unknown_key(member.key, known_, "key"));
      if (find(member.key) != nullptr) return fail(place_of(member), "given twice");
      members_.push_back(member);
    }
  }

  /// First of all, as a document of a later version has keys that this one has not.
  void check_schema(simdjson::dom::object object) {
    std::size_t index = 0;
    for (const auto field : object) {
      const Member member{field.key, field.value, index++};
      double version = 0;
      if (member.key == "schema" &&
          (member.value.get(version) != simdjson::SUCCESS || version != kPolicySchema))
        fail(place_of(member),
             unlike(member.value, concat(kPolicySchema, ", the version that this library reads")));
    }
  }

  bool read_string(const Member& member, std::string& out) {
    std::string_view text;
    if (member.value.get(text) == simdjson::SUCCESS) return out = text, true;
    return fail(place_of(member), unlike(member.value, "a string")), false;
  }

  template <class Enum>
  void read_word(const Place& place, simdjson::dom::element value, Enum& out, Words words) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return fail(place, unlike(value, words_text(words)));
    const auto found = std::find(words.begin(), words.end(), text);
    if (text.empty() || found == words.end()) return fail(place, unlike(value, words_text(words)));
    out = static_cast<Enum>(found - words.begin());
  }

  void read_rule(const Place& place, simdjson::dom::element value, CategoryRule& out) {
    out = {};
    if (value.is_string()) return read_word(place, value, out.unsafe, kActionWords);
    if (!value.is_object())
      return fail(place, unlike(value, concat(words_text(kActionWords), ", or an object")));
    ObjectReader inner(fault_, place);
    inner.read(value, [&](ObjectReader& fields) { visit_rule(fields, out); });
    // Beside thresholds, even the action that is the default says something that does not hold.
    if (const Member* unsafe = inner.find("unsafe"); unsafe != nullptr && has_thresholds(out)) {
      return fail(inner.place_of(*unsafe), kActionBesideThreshold);
    }
    inner.consistent(out);
  }

  void read_categories(const Place& place, simdjson::dom::element value,
                       std::array<CategoryRule, kCategoryCount>& rules, bool is_prompt) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return fail(place, unlike(value, "an object"));
    std::array<bool, kCategoryCount> is_given{};
    std::size_t index = 0;
    for (const auto field : object) {
      if (fault_) return;
      const Place here{&place, field.key, index++};
      const auto category = parse_category(field.key);
      if (!category) return fail(here, unknown_category(field.key, is_prompt));
      if (*category == Category::jailbreak && !is_prompt)
        return fail(here, "not a category of responses: only prompts are judged for it");
      const auto i = static_cast<std::size_t>(*category);
      if (is_given[i]) return fail(here, "given twice");
      is_given[i] = true;
      read_rule(here, field.value, rules[i]);
    }
  }

  static std::string unknown_category(std::string_view given, bool is_prompt) {
    std::array<std::string_view, kCategoryCount> names;
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = to_string(static_cast<Category>(i));
    const auto known = std::span(names).first(names.size() - (is_prompt ? 0 : 1));  // Jailbreak is the last
    return unknown_key(given, known, "category");
  }

  static std::string shown(simdjson::dom::element value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array";
    return printable(simdjson::minify(value), kMaxShownJsonBytes);
  }

  static std::string unlike(simdjson::dom::element value, std::string_view expected) {
    return concat(shown(value), "; expected ", expected);
  }

  void fail_missing(std::string_view key, std::string_view expected) {
    if (is_reading_) fail(place_, concat(key, ": missing; ", expected));
  }

  void fail(const Place& place, std::string_view what) {
    if (fault_) return;
    std::string path;
    fault_.emplace();
    append_path(place, path, fault_->path);
    fault_->what = path.empty() ? std::string(what) : concat(path, ": ", what);
  }

  std::optional<DocumentFault>& fault_;
  const Place& place_;
  std::vector<std::string_view> known_;
  std::vector<Member> members_;
  bool is_reading_ = false;
};

/// Which member or element of each value leads to "lists.deny[3]", as far as the document has it.
std::vector<std::size_t> indices_of(simdjson::dom::element value, std::string_view path) {
  std::vector<std::size_t> out;
  while (!path.empty()) {
    const std::size_t n = std::min(path.find_first_of(".["), path.size());
    std::size_t index = 0, n_found = 0;
    if (n > 0) {
      simdjson::dom::object object;
      if (value.get(object) != simdjson::SUCCESS) return out;
      for (const auto field : object) {
        if (n_found == 0 && field.key == path.substr(0, n)) n_found = 1, value = field.value;
        if (n_found == 0) ++index;
      }
    } else {
      simdjson::dom::array array;
      std::from_chars(path.data() + 1, path.data() + path.size(), index);
      if (value.get(array) != simdjson::SUCCESS || array.at(index).get(value) != simdjson::SUCCESS)
        return out;
      n_found = 1;
    }
    if (n_found == 0) return out;
    out.push_back(index);
    const std::size_t n_used = n > 0 ? n : path.find(']') + 1;
    path.remove_prefix(std::min(n_used, path.size()));
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return out;
}

/// "policy.json:12:5: ...".
Error error_at(std::string_view display_name, std::string_view text, std::size_t at, std::string_view what) {
  const LineAndColumn where = line_and_column(text, at);
  return error(ErrorCode::invalid_argument, display_name, ":", where.line, ":", where.column, ": ", what);
}

/// Of text that is not JSON: the place, where there is one.
Error with_place(Error not_json, std::string_view display_name, std::string_view text) {
  if (not_json.code != ErrorCode::invalid_argument || text.size() > kMaxConfigBytes ||
      !foreign_format(std::as_bytes(std::span(text))).empty())
    return not_json;
  const auto at = find_json_fault(text);
  if (!at) return not_json;
  return error_at(
      display_name, text, *at,
      std::string_view(not_json.detail).substr(std::min(display_name.size() + 2, not_json.detail.size())));
}

}  // namespace

Result<PolicySpec> read_policy(std::string_view json, std::string_view display_name) {
  json = without_byte_order_mark(json);
  auto file = JsonFile::parse(json, std::string(display_name), ErrorCode::invalid_argument, kMaxConfigBytes);
  if (!file.ok()) return with_place(std::move(file).error(), display_name, json);
  PolicySpec spec;
  std::optional<DocumentFault> fault;
  const Place document;
  ObjectReader(fault, document).read(file->root(), [&](ObjectReader& fields) { visit_policy(fields, spec); });
  if (fault) return error_at(display_name, json, find_json_value(json, fault->path), fault->what);
  return spec;
}

Error at_its_place(const Error& error, std::string_view json, std::string_view display_name) {
  json = without_byte_order_mark(json);
  const std::string_view path = std::string_view(error.detail).substr(0, error.detail.find(": "));
  const auto file =
      JsonFile::parse(json, std::string(display_name), ErrorCode::invalid_argument, kMaxConfigBytes);
  const std::vector<std::size_t> indices =
      file.ok() ? indices_of(file->root(), path) : std::vector<std::size_t>();
  Error out = error_at(display_name, json, find_json_value(json, indices), error.detail);
  out.code = error.code;
  return out;
}

}  // namespace qwen3guard::detail
