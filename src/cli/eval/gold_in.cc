// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/gold_in.hpp"

#include "cli/wire.hpp"
#include "wire/conversation_in.hpp"
#include "wire/fields_in.hpp"
#include "wire/values_in.hpp"

namespace qwen3guard::cli {
namespace {

bool read_flag(const JsonValue& line, const char* key) {
  const auto found = find_known(line, key);
  return found && read_boolean(*found, key);
}

Severity read_label(const JsonValue& value) {
  const auto label = value.kind() == JsonValue::Kind::string ? parse_severity(value.text()) : std::nullopt;
  if (!label) fail_unlike("label", value, "Safe, Controversial or Unsafe");
  return *label;
}

}  // namespace

evaluation::Gold read_gold(const JsonValue& line) {
  evaluation::Gold gold;
  if (const auto label = find_known(line, "label")) gold.label = read_label(*label);
  const bool is_derived = read_flag(line, "label_derived");
  if (is_derived) gold.label.reset();
  if (const auto refusal = find_known(line, "refusal")) gold.refusal = read_boolean(*refusal, "refusal");
  if (!gold.label && !gold.refusal)
    fail("", is_derived ? "nothing that is scored: its label is derived, and there is no refusal"
                        : "no label and no refusal");
  if (find_known(line, "categories")) {
    for (const JsonValue& name : read_items(line, "categories"))
      gold.categories.push_back(read_category(name, "categories"));
  }
  gold.is_weak = read_flag(line, "weak");
  return gold;
}

std::string read_language(const JsonValue& line) {
  const auto language = find_known(line, "lang");
  return language ? read_text(*language, "lang", InvalidUtf8::reject) : "";
}

std::string read_row_id(const JsonValue& line, std::size_t number) {
  if (!find_known(line, "id")) return "\"line " + std::to_string(number) + "\"";
  return read_id(line, InvalidUtf8::reject);
}

}  // namespace qwen3guard::cli
