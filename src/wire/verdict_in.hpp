// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_VERDICT_IN_HPP
#define QWEN3GUARD_SRC_WIRE_VERDICT_IN_HPP

#include "qwen3guard/verdict.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::wire {

/// What decide() looks at of a line of `classify --json` whose type is "verdict". The rest is passed over.
/// Throws LineError: invalid_argument (with the member, what it holds and what was expected).
[[nodiscard]] Verdict read_verdict(const JsonValue& line);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_VERDICT_IN_HPP
