// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_HEADS_HEAD_VERDICT_HPP
#define QWEN3GUARD_SRC_GUARD_HEADS_HEAD_VERDICT_HPP

#include <cstdint>
#include <span>

#include "model/labels.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Logits of one position -> TokenVerdict (softmax over each head; `flagged` is left false).
/// risk: [labels.risk.size()], category: [labels.category.size()]. Ties go to the lower index, as argmax
/// does. Errors: bad_checkpoint when a logit is not finite: a damaged model must not pass for a verdict.
/// Source: arXiv:2510.14276, eq. 3.
[[nodiscard]] Result<TokenVerdict> read_heads(const HeadLabels& labels, std::span<const float> risk,
                                              std::span<const float> category, std::int32_t position);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_HEADS_HEAD_VERDICT_HPP
