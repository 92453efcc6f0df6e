// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_VERDICT_TEXT_HPP
#define QWEN3GUARD_SRC_CLI_VERDICT_TEXT_HPP

#include <string>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::cli {

/// The action, and where that is not plain from the severity, the rule.
[[nodiscard]] std::string ruling_to_text(const Ruling& ruling);
/// Two or three lines for a person, without the last line break.
[[nodiscard]] std::string verdict_to_text(const Verdict& verdict, bool color);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_VERDICT_TEXT_HPP
