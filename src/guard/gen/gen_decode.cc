// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/gen_decode.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "guard/gen/end_tokens.hpp"
#include "guard/gen/verdict_decoder.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Feeds `ids`. hidden: [hidden_size], the state behind them.
Status feed(const GenCall& call, std::span<const TokenId> ids, std::vector<float>& hidden) {
  hidden.resize(call.model.config().hidden_size);
  return call.model.forward(ids, call.cache, call.workspace, {hidden.data(), 1, hidden.size()}, call.cancel);
}

/// The most probable token; of equally probable ones the first in `preferred`, else the lowest id.
TokenId most_probable(std::span<const float> logits, std::span<const TokenId> preferred) {
  const auto best = std::max_element(logits.begin(), logits.end());
  for (const TokenId id : preferred) {
    if (logits[static_cast<std::size_t>(id)] == *best) return id;
  }
  return static_cast<TokenId>(best - logits.begin());
}

/// The tokens that begin the words of a severity, the worse ones first and of a word the longest first: ties
/// go to the more severe.
std::vector<TokenId> severity_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> out;
  for (const Severity severity : {Severity::unsafe, Severity::controversial, Severity::safe}) {
    const std::string word = std::string(" ") + to_string(severity);
    for (std::size_t n = word.size(); n > 1; --n) {
      if (const auto id = tokenizer.find_bytes(std::string_view(word).substr(0, n))) out.push_back(*id);
    }
  }
  return out;
}

}  // namespace

Result<Verdict> decode_constrained(const GenCall& call, std::span<const TokenId> prompt, Subject subject,
                                   const ParsedVerdict* forced) {
  VerdictDecoder decoder(call.model, call.tokenizer, prompt, subject, forced);
  std::vector<float> hidden;
  while (decoder.needs_tokens()) {
    Q3G_TRY(feed(call, decoder.tokens(), hidden));
    decoder.answer(hidden);
  }
  return decoder.result();
}

Result<Verdict> decode_greedy(const GenCall& call, std::span<const TokenId> prompt, Subject subject) {
  const std::vector<TokenId> ends = end_tokens(call.model.config(), &call.tokenizer);
  std::vector<float> hidden, logits(static_cast<std::size_t>(call.model.config().vocab_size));
  const std::size_t n_start = call.cache.n_tokens();
  const std::vector<TokenId> preferred = severity_tokens(call.tokenizer);
  std::vector<TokenId> generated;
  Q3G_TRY(feed(call, prompt, hidden));
  for (;;) {
    call.model.lm_logits({hidden.data(), 1, hidden.size()}, {logits.data(), 1, logits.size()},
                         call.workspace);
    const TokenId next = most_probable(logits, preferred);
    if (!std::isfinite(logits[static_cast<std::size_t>(next)])) {
      return Error{ErrorCode::bad_checkpoint,
                   "language-model head: a logit is not finite; the weights are damaged"};
    }
    if (std::find(ends.begin(), ends.end(), next) != ends.end()) break;
    generated.push_back(next);
    if (static_cast<std::int32_t>(generated.size()) == kMaxVerdictTokens) break;
    Q3G_TRY(feed(call, {&next, 1}, hidden));
  }
  // Embedding rows past the tokenizer's last id have no text; a model that picks one has written nothing
  // readable.
  std::erase_if(generated, [&](TokenId id) { return !call.tokenizer.token_bytes(id).has_value(); });
  Q3G_ASSIGN(const std::string text, call.tokenizer.decode(generated));
  Q3G_ASSIGN(const ParsedVerdict parsed, parse_verdict(text, subject));
  call.cache.truncate(n_start);
  Q3G_ASSIGN(Verdict out, decode_constrained(call, prompt, subject, &parsed));
  if (!parsed.refusal) out.refusal.reset();
  out.text = text;
  out.tokens.generated = static_cast<std::int32_t>(generated.size());
  return out;
}

}  // namespace qwen3guard::detail
