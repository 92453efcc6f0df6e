// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_VERDICT_OUT_HPP
#define QWEN3GUARD_SRC_WIRE_VERDICT_OUT_HPP

#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::wire {

/// The severity's name; null when nothing was judged.
void put_severity(JsonOut& json, Severity severity);
/// What the policy made of it: an object.
void put_ruling(JsonOut& json, const Ruling& ruling);
/// {"safe":p,"controversial":p,"unsafe":p}; null when nothing was judged.
void put_probabilities(JsonOut& json, const SeverityProbabilities& probabilities);

/// Everything that is in a verdict but its id, as members of the object that is open.
void put_verdict_fields(JsonOut& json, const Verdict& verdict);
/// The documented object of `classify --json`. `id_json` is JSON already ("null" when the input had none).
[[nodiscard]] std::string verdict_to_json(const Verdict& verdict, std::string_view id_json);

/// The documented object for a conversation that could not be judged.
[[nodiscard]] std::string error_to_json(const Ruling& ruling, std::string_view id_json, const Error& error);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_VERDICT_OUT_HPP
