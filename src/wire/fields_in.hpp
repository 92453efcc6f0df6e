// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_FIELDS_IN_HPP
#define QWEN3GUARD_SRC_WIRE_FIELDS_IN_HPP

#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/options.hpp"
#include "wire/json_text.hpp"

/// Parts of a line of JSON, with errors that say where: `where` is the place in the line, such as
/// "messages[0].content", or "" for all of it. All functions throw LineError (errors.hpp).
namespace qwen3guard::wire {

/// invalid_argument at a place.
[[noreturn]] void fail(const std::string& where, const std::string& what);

/// "name[i]"
[[nodiscard]] std::string index(const std::string& name, std::size_t i);

/// invalid_utf8 with the first ill-formed byte, for InvalidUtf8::reject.
void check_utf8(std::string_view text, const std::string& where, InvalidUtf8 policy);

/// The text of a JSON string. Errors: invalid_argument (not a string); invalid_utf8.
[[nodiscard]] std::string read_text(const JsonValue& value, const std::string& where, InvalidUtf8 policy);

/// An object's members; `expected` is its form. Errors: invalid_argument (not an object).
[[nodiscard]] std::vector<JsonValue::Member> members_of(const JsonValue& value, const std::string& where,
                                                        const char* expected);

/// For a field that is not understood. Errors: invalid_argument, unless it is known to hold no text of the
/// conversation, or holds no text at all.
void pass_over(const JsonValue::Member& field, const std::string& where);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_FIELDS_IN_HPP
