// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_DECISION_FLAGS_HPP
#define QWEN3GUARD_SRC_CLI_DECISION_FLAGS_HPP

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// What is done about verdicts: the same for `classify` and `stream`. A flag that is given changes the
/// policy.
struct DecisionFlags {
  std::optional<std::string> policy, mode, run_rule;
  std::optional<std::int32_t> consecutive_tokens;
  std::optional<float> flag_threshold, block_threshold;
  bool count_open_run = false;
  std::string thinking = "none";
};
void add_decision_flags(CLI::App& command, DecisionFlags& flags);

/// The policy with what the flags change. Throws as load_policy(), and Exception (what is out of range).
[[nodiscard]] Policy policy_of(const DecisionFlags& flags);
[[nodiscard]] Thinking thinking_of(const DecisionFlags& flags);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_DECISION_FLAGS_HPP
