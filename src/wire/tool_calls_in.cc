// SPDX-License-Identifier: Apache-2.0
#include "wire/tool_calls_in.hpp"

#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "wire/fields_in.hpp"

namespace qwen3guard::wire {
namespace {

using Kind = JsonValue::Kind;

void append_string(std::string_view text, std::string& out) {
  constexpr std::string_view kNames = "\"\\bfnrt", kCharacters = "\"\\\b\f\n\r\t";
  out += '"';
  for (const char c : text) {
    const std::size_t name = kCharacters.find(c);
    if (name != std::string_view::npos) {
      out += '\\';
      out += kNames[name];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  out += '"';
}

/// JSON as Python's json.dumps() writes it with ensure_ascii off; numbers stay as they are.
std::string dumped(std::string_view json, const std::string& where, InvalidUtf8 policy) {
  std::string out;
  while (!json.empty()) {
    const std::string_view token = take_token(json);
    if (token.starts_with('"')) {
      const std::string text = unquoted(token);
      check_utf8(text, where, policy);
      append_string(text, out);
    } else {
      out += token;
      if (token == "," || token == ":") out += ' ';
    }
  }
  return out;
}

constexpr const char* kForm = R"({"type": "function", "function": {"name": "...", "arguments": "..."}})";

bool is_function_type(const JsonValue::Member& field) {
  return field.key == "type" && field.value.raw() == R"("function")";
}

/// {"name": ..., "arguments": ...}
std::string read_function(const JsonValue& function, const std::string& where, InvalidUtf8 policy) {
  std::optional<std::string> name, arguments;
  for (const auto& field : members_of(function, where, kForm)) {
    if (field.key == "name") {
      name = read_text(field.value, where + ".name", policy);
    } else if (field.key == "arguments") {
      const std::string place = where + ".arguments";
      arguments = field.value.kind() == Kind::string ? read_text(field.value, place, policy)
                                                     : dumped(field.value.raw(), place, policy);
    } else if (!is_function_type(field)) {
      pass_over(field, where);
    }
  }
  if (!name || !arguments) fail(where, std::string("no name or no arguments; expected ") + kForm);
  return "<tool_call>\n{\"name\": \"" + *name + "\", \"arguments\": " + *arguments + "}\n</tool_call>";
}

/// The same in a "function" beside an id and a type, or by itself.
std::string read_call(const JsonValue& call, const std::string& where, InvalidUtf8 policy) {
  const auto function = call.find("function");
  if (!function || function->kind() == Kind::null) return read_function(call, where, policy);
  for (const auto& field : call.members()) {
    if (field.key != "function" && !is_function_type(field)) pass_over(field, where);
  }
  return read_function(*function, where + ".function", policy);
}

}  // namespace

std::vector<std::string> read_calls(const JsonValue& calls, const std::string& where, InvalidUtf8 policy) {
  std::vector<std::string> out;
  if (calls.kind() == Kind::null) return out;
  if (calls.kind() != Kind::array) fail(where, std::string(to_string(calls.kind())) + "; expected an array");
  for (const JsonValue& call : calls.items())
    out.push_back(read_call(call, index(where, out.size()), policy));
  return out;
}

}  // namespace qwen3guard::wire
