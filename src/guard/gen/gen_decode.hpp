// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_GEN_DECODE_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_GEN_DECODE_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "guard/gen/gen_context.hpp"
#include "guard/gen/verdict_parser.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// "Up to 128 tokens": the model card's limit for a generated verdict.
inline constexpr std::int32_t kMaxVerdictTokens = 128;

/// A verdict with what the model thought of the alternatives.
struct DecodedVerdict {
  Severity severity = Severity::not_judged;
  SeverityProbabilities probabilities;
  std::vector<CategoryScore> categories;
  std::optional<Refusal> refusal;
  std::string text;
  std::int32_t n_generated_tokens = 0;
};

/// The public form; the action and the latency are left to the caller.
[[nodiscard]] Verdict to_verdict(DecodedVerdict decoded, std::size_t n_prompt_tokens,
                                 std::int32_t n_cached_tokens);

/// Walks the grammar of verdicts. In every state only the tokens that keep the text a well-formed verdict
/// compete; text that is fixed is fed together with the token before it, in one forward.
///
/// Grammar: "Safety: " severity "\nCategories: " ("None" if and only if Safe, else 1..n different categories
/// joined by ", "; Jailbreak for prompts only) and, for responses, "\nRefusal: " ("Yes" | "No"); then an end
/// token.
///
/// `prompt`: the ids that the context's cache does not hold yet, at least one; fed together with "Safety:".
/// `forced`: take this verdict's path instead of the most probable one, to score a text that greedy decoding
/// wrote. Errors: those of Model::forward; bad_tokenizer.
[[nodiscard]] Result<DecodedVerdict> decode_constrained(GenContext& context, std::span<const TokenId> prompt,
                                                        Subject subject,
                                                        const ParsedVerdict* forced = nullptr);

/// The published way: the most probable token of the whole vocabulary until an end token or
/// kMaxVerdictTokens, then parse. The probabilities come from a second walk along the parsed verdict
/// (decode_constrained, forced). Errors: those of Model::forward; unparsable_output with the raw text.
[[nodiscard]] Result<DecodedVerdict> decode_greedy(GenContext& context, std::span<const TokenId> prompt,
                                                   Subject subject);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_GEN_DECODE_HPP
