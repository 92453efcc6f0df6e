// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_VALUES_IN_HPP
#define QWEN3GUARD_SRC_WIRE_VALUES_IN_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qwen3guard/verdict.hpp"
#include "wire/json_text.hpp"

/// Numbers and names in a line of JSON that this program wrote, or that has its form. `where` is the place in
/// the line; all functions throw LineError, which says the place, what stands there and what was expected.
namespace qwen3guard::wire {

[[noreturn]] void fail_unlike(const std::string& where, const JsonValue& value, const char* expected);

/// A member that must be there.
[[nodiscard]] JsonValue member(const JsonValue& object, const std::string& where, const char* key);
/// A member that is there and not null.
[[nodiscard]] std::optional<JsonValue> find_known(const JsonValue& object, const char* key);
/// The items of an array; none when the member is missing.
[[nodiscard]] std::vector<JsonValue> read_items(const JsonValue& line, const char* key);

/// In [min, max]; `expected` says so.
[[nodiscard]] double read_number(const JsonValue& value, const std::string& where, double min, double max,
                                 const char* expected);
/// Of the member `key`, in [0, 1].
[[nodiscard]] float read_probability(const JsonValue& object, const std::string& where, const char* key);
/// A whole number in [-1, 2^31 - 1].
[[nodiscard]] std::int32_t read_integer(const JsonValue& value, const std::string& where);
[[nodiscard]] bool read_boolean(const JsonValue& value, const std::string& where);
/// The member "role": whose message was judged, a user's or an assistant's.
[[nodiscard]] Role read_judged_role(const JsonValue& line);
/// null: not_judged.
[[nodiscard]] Severity read_severity(const JsonValue& value, const std::string& where);
/// null: all 0.
[[nodiscard]] SeverityProbabilities read_probabilities(const JsonValue& value, const std::string& where);
[[nodiscard]] Category read_category(const JsonValue& value, const std::string& where);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_VALUES_IN_HPP
