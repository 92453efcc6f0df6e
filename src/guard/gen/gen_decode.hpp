// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_GEN_DECODE_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_GEN_DECODE_HPP

#include <cstdint>
#include <span>

#include "guard/gen/verdict_parser.hpp"
#include "model/kv_cache.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// "Up to 128 tokens": the model card's limit for a generated verdict.
inline constexpr std::int32_t kMaxVerdictTokens = 128;

/// What one conversation is judged with. All borrowed.
struct GenCall {
  const Model& model;
  const Tokenizer& tokenizer;
  KvCache& cache;  ///< the conversation's; has room for the prompt and kMaxVerdictTokens
  Workspace& workspace;
  const CancelFlag* cancel;  ///< may be null
};

/// A VerdictDecoder's verdict on one conversation. Its action, latency and tokens.prompt and .cached are left
/// to the caller; the cache then holds the prompt and most of the verdict. prompt: the ids that the cache
/// does not hold yet, at least one. Errors: those of Model::forward and VerdictDecoder. Throws
/// std::bad_alloc.
[[nodiscard]] Result<Verdict> decode_constrained(const GenCall& call, std::span<const TokenId> prompt,
                                                 Subject subject, const ParsedVerdict* forced = nullptr);

/// The published way: the most probable token of the whole vocabulary until an end token or
/// kMaxVerdictTokens, then parse. The probabilities come from a second walk along the parsed verdict
/// (decode_constrained, forced). Errors: as decode_constrained(); unparsable_output with the raw text.
[[nodiscard]] Result<Verdict> decode_greedy(const GenCall& call, std::span<const TokenId> prompt,
                                            Subject subject);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_GEN_DECODE_HPP
