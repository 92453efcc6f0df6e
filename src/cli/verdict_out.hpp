// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_VERDICT_OUT_HPP
#define QWEN3GUARD_SRC_CLI_VERDICT_OUT_HPP

#include <string>
#include <string_view>

#include "json_out.hpp"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// The severity's name; null when nothing was judged.
void put_severity(JsonOut& json, Severity severity);
/// What the policy made of it: an object.
void put_ruling(JsonOut& json, const Ruling& ruling);
/// {"safe":p,"controversial":p,"unsafe":p}; null when nothing was judged.
void put_probabilities(JsonOut& json, const SeverityProbabilities& probabilities);

/// The action, and where that is not plain from the severity, the rule.
[[nodiscard]] std::string ruling_to_text(const Ruling& ruling);
/// The documented object of `classify --json`. `id_json` is JSON already ("null" when the input had none).
[[nodiscard]] std::string verdict_to_json(const Verdict& verdict, std::string_view id_json);

/// The documented object for a conversation that could not be judged.
[[nodiscard]] std::string error_to_json(const Ruling& ruling, std::string_view id_json, const Error& error);

/// Two or three lines for a person, without the last line break.
[[nodiscard]] std::string verdict_to_text(const Verdict& verdict, bool color);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_VERDICT_OUT_HPP
