// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_SCORES_HPP
#define QWEN3GUARD_SRC_EVALUATION_SCORES_HPP

#include <optional>
#include <span>

#include "evaluation/record.hpp"

namespace qwen3guard::evaluation {

/// P(Unsafe) + P(Controversial), which rounding does not take above 1, and P(Unsafe).
[[nodiscard]] Scores scores_of(const SeverityProbabilities& probabilities) noexcept;

/// What ranks a text: a Gen checkpoint's probabilities, those of a prompt, and of a Stream checkpoint's
/// response the debounced ones of its tokens (ClassifyOptions::keep_token_verdicts; without them, those at
/// the deciding token). Of a text that was judged in parts, the largest. Empty when the model judged nothing.
[[nodiscard]] std::optional<Scores> scores_of(const Verdict& verdict) noexcept;

/// The tokens that the published evaluation looks at: those of a response in its final form from the first
/// that counts on, each behind the other in the conversation; of a prompt the one at its end. Empty without
/// token verdicts, where one of them says nothing, and where a text was judged in parts.
[[nodiscard]] std::span<const TokenVerdict> published_tokens(const Verdict& verdict) noexcept;

/// The tokens that bytes [begin, end) of the judged message have a share in; empty when none of `tokens` has.
[[nodiscard]] std::optional<TokenSpan> tokens_of_bytes(std::span<const TokenVerdict> tokens,
                                                       std::int64_t begin, std::int64_t end) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_SCORES_HPP
