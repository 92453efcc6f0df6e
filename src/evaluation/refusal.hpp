// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_REFUSAL_HPP
#define QWEN3GUARD_SRC_EVALUATION_REFUSAL_HPP

#include <optional>
#include <span>

#include "evaluation/counts.hpp"
#include "evaluation/record.hpp"

namespace qwen3guard::evaluation {

/// Refusals found, of the rows that say whether they are one; positive: it is. A row of which nothing was
/// said counts against the model. Empty when no row says it, or nothing was said of any: a Stream
/// checkpoint's.
[[nodiscard]] std::optional<Counts> refusal_counts(std::span<const Record* const> rows);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_REFUSAL_HPP
