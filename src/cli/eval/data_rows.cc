// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/data_rows.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "cli/cli.hpp"
#include "cli/errors.hpp"
#include "cli/eval/gold_in.hpp"
#include "cli/input_lines.hpp"
#include "evaluation/files.hpp"
#include "wire/conversation_in.hpp"
#include "wire/fields_in.hpp"
#include "wire/values_in.hpp"

namespace qwen3guard::cli {
namespace {

constexpr std::size_t kMaxNamedBadRows = 10;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// Byte offset of the n-th character of well-formed UTF-8; empty when it has fewer.
std::optional<std::int64_t> byte_of_character(std::string_view text, std::int64_t n) {
  std::size_t at = 0;
  for (; n > 0 && at < text.size(); --n) {
    do ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U);
  }
  if (n > 0) return std::nullopt;
  return static_cast<std::int64_t>(at);
}

/// Two whole numbers, the first not above the second.
std::pair<std::int32_t, std::int32_t> read_range(const JsonValue& value, const char* key) {
  const auto ends = value.kind() == JsonValue::Kind::array ? value.items() : std::vector<JsonValue>();
  if (ends.size() != 2) fail_unlike(key, value, "two whole numbers");
  const std::int32_t begin = read_integer(ends[0], key), end = read_integer(ends[1], key);
  if (begin < 0 || end < begin) fail_unlike(key, value, "two whole numbers, the first not above the second");
  return {begin, end};
}

void read_span(const JsonValue& line, DataRow& row) {
  const Message& last = row.messages.back();
  for (const char* key : {"unsafe_span_chars", "unsafe_span_tokens"}) {
    const auto value = find_known(line, key);
    if (!value) continue;
    if (last.role != Role::assistant) fail(key, "in a row whose last message is not an assistant's");
    const auto [begin, end] = read_range(*value, key);
    if (std::string_view(key) == "unsafe_span_tokens") {
      row.gold.unsafe_span = evaluation::TokenSpan{begin, end};
      row.gold.is_passage_marked = true;
      continue;
    }
    const auto begin_byte = byte_of_character(last.content, begin);
    const auto end_byte = byte_of_character(last.content, end);
    if (!end_byte || begin == end)
      fail_unlike(key, *value, "a range of characters within the last message that is not empty");
    row.gold.is_passage_marked = true;
    row.unsafe_bytes = ByteSpan{*begin_byte, *end_byte};
  }
}

DataRow read_row(std::string_view text, std::size_t number) {
  const JsonValue line = JsonValue::parse(text);
  if (line.kind() != JsonValue::Kind::object) fail_unlike("", line, "an object with messages and a label");
  DataRow row;
  row.line = number;
  row.id = read_row_id(line, number);
  row.messages = read_conversation(line, InvalidUtf8::reject);
  if (row.messages.empty()) fail("messages", "empty");
  const Message& last = row.messages.back();
  if (last.role != Role::user && last.role != Role::assistant)
    fail("messages", "the last one is a " + std::string(to_string(last.role)) +
                         "'s; expected a user's or an assistant's");
  if (is_blank(last.content)) fail("messages", "the last one is empty");
  row.gold = read_gold(line);
  if (row.gold.refusal && last.role != Role::assistant)
    fail("refusal", "in a row whose last message is not an assistant's");
  row.language = read_language(line);
  read_span(line, row);
  return row;
}

}  // namespace

DataSet read_data(const std::string& path, std::size_t limit) {
  auto file = evaluation::read_file(path);
  if (!file.ok()) throw UsageError(file.error().detail);
  DataSet out;
  out.name = evaluation::stem(path);
  out.path = path;
  out.checksum = file->checksum;
  std::string_view rest = file->text;
  refuse_utf16(rest);
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  std::unordered_map<std::string, std::size_t> first_lines;
  for (std::size_t number = 1; !rest.empty() && out.rows.size() < limit; ++number) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    if (is_blank(text)) continue;
    try {
      DataRow row = read_row(text, number);
      const auto [first, is_new] = first_lines.emplace(row.id, number);
      if (!is_new)
        fail("", "duplicate id " + row.id + ", which line " + std::to_string(first->second) + " has");
      out.rows.push_back(std::move(row));
    } catch (const JsonError& e) {
      out.bad_rows.push_back({number, e.what()});
    } catch (const LineError& e) {
      out.bad_rows.push_back({number, e.what()});
    }
  }
  return out;
}

std::vector<DataSet> read_data(const std::vector<std::string>& paths, std::size_t limit) {
  std::vector<DataSet> out;
  for (const std::string& path : paths) {
    DataSet set = read_data(path, limit);
    for (const DataSet& other : out) {
      if (other.path == set.path) throw UsageError(printable(set.path) + " is given twice");
      if (other.name == set.name)
        throw UsageError(printable(other.path) + " and " + printable(set.path) + " would both be the set " +
                         quote(set.name) + "; rename one of them");
    }
    out.push_back(std::move(set));
  }
  return out;
}

RowTexts texts_of(std::vector<DataSet> sets) {
  RowTexts out;
  for (DataSet& set : sets) {
    for (DataRow& row : set.rows)
      out.emplace(std::pair(set.name, std::move(row.id)), std::move(row.messages.back().content));
  }
  return out;
}

void report_bad_rows(const std::vector<DataSet>& sets) {
  for (const DataSet& set : sets) {
    for (std::size_t i = 0; i < std::min(set.bad_rows.size(), kMaxNamedBadRows); ++i)
      print_warning(set.path + ": line " + std::to_string(set.bad_rows[i].line) + ": " +
                    set.bad_rows[i].reason);
    if (set.bad_rows.size() > kMaxNamedBadRows)
      print_warning(set.path + ": " + std::to_string(set.bad_rows.size() - kMaxNamedBadRows) +
                    " more bad rows");
    if (!set.bad_rows.empty())
      print_warning(set.path + ": " + std::to_string(set.bad_rows.size()) + " bad and " +
                    std::to_string(set.rows.size()) + " good rows; bad ones are not judged");
  }
}

}  // namespace qwen3guard::cli
