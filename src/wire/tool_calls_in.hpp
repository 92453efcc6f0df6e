// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_TOOL_CALLS_IN_HPP
#define QWEN3GUARD_SRC_WIRE_TOOL_CALLS_IN_HPP

#include <string>
#include <vector>

#include "qwen3guard/options.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::wire {

/// An assistant message's "tool_calls", each as the published Qwen3 chat template writes it:
/// <tool_call>, {"name": "...", "arguments": ...}, </tool_call>, on a line each. Throws LineError.
[[nodiscard]] std::vector<std::string> read_calls(const JsonValue& calls, const std::string& where,
                                                  InvalidUtf8 policy);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_TOOL_CALLS_IN_HPP
