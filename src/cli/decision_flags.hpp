// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_DECISION_FLAGS_HPP
#define QWEN3GUARD_SRC_CLI_DECISION_FLAGS_HPP

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// How a response's tokens make a decision: the same for `classify` and `stream`.
struct DecisionFlags {
  std::string mode = "strict", run_rule = "published", thinking = "none";
  std::int32_t consecutive_tokens = DecisionPolicy().consecutive_tokens;
  std::optional<float> unsafe_threshold, controversial_threshold;
  bool count_open_run = false;
};
void add_decision_flags(CLI::App& command, DecisionFlags& flags);

/// What the flags say. The library finds what is out of range.
[[nodiscard]] DecisionPolicy policy_of(const DecisionFlags& flags);
[[nodiscard]] Thinking thinking_of(const DecisionFlags& flags);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_DECISION_FLAGS_HPP
