// SPDX-License-Identifier: Apache-2.0
#include "evaluation/scores.hpp"

#include <algorithm>

namespace qwen3guard::evaluation {
namespace {

bool is_judged(const SeverityProbabilities& p) noexcept {
  return p.safe != 0 || p.controversial != 0 || p.unsafe != 0;
}

/// The larger of each.
void raise(std::optional<Scores>& scores, const Scores& other) noexcept {
  if (!scores) {
    scores = other;
    return;
  }
  scores->strict = std::max(scores->strict, other.strict);
  scores->loose = std::max(scores->loose, other.loose);
}

/// The largest score that two tokens in a row both reach; a single token's own.
std::optional<Scores> debounced(std::span<const TokenVerdict> tokens) noexcept {
  std::optional<Scores> out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Scores here = scores_of(tokens[i].probabilities);
    if (i == 0) {
      if (tokens.size() == 1) out = here;
      continue;
    }
    const Scores before = scores_of(tokens[i - 1].probabilities);
    raise(out, {std::min(before.strict, here.strict), std::min(before.loose, here.loose)});
  }
  return out;
}

std::optional<Scores> scores_of_part(const Verdict& verdict) noexcept {
  if (!is_judged(verdict.probabilities)) return std::nullopt;
  if (verdict.role == Role::assistant) {
    const auto tokens = published_tokens(verdict);
    if (!tokens.empty()) return debounced(tokens);
  }
  return scores_of(verdict.probabilities);
}

}  // namespace

Scores scores_of(const SeverityProbabilities& p) noexcept {
  return {std::min(p.unsafe + p.controversial, 1.0F), p.unsafe};
}

std::optional<Scores> scores_of(const Verdict& verdict) noexcept {
  if (verdict.severity == Severity::not_judged) return std::nullopt;
  if (verdict.windows.empty()) return scores_of_part(verdict);
  std::optional<Scores> out;
  for (const Verdict& part : verdict.windows) {
    if (const auto scores = scores_of_part(part)) raise(out, *scores);
  }
  return out;
}

std::span<const TokenVerdict> published_tokens(const Verdict& verdict) noexcept {
  std::span<const TokenVerdict> tokens(verdict.token_verdicts);
  if (!verdict.windows.empty() || verdict.n_as_written < 0 ||
      static_cast<std::size_t>(verdict.n_as_written) > tokens.size())
    return {};
  tokens = tokens.subspan(static_cast<std::size_t>(verdict.n_as_written));
  const auto counts = [](const TokenVerdict& token) {
    return token.counts && token.source == VerdictSource::heads;
  };
  tokens = tokens.subspan(
      static_cast<std::size_t>(std::find_if(tokens.begin(), tokens.end(), counts) - tokens.begin()));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].position != tokens[0].position + static_cast<std::int32_t>(i) ||
        tokens[i].severity == Severity::not_judged)
      return {};
  }
  return tokens;
}

std::optional<TokenSpan> tokens_of_bytes(std::span<const TokenVerdict> tokens, std::int64_t begin,
                                         std::int64_t end) noexcept {
  std::optional<TokenSpan> out;
  for (const TokenVerdict& token : tokens) {
    if (token.byte_begin >= end || token.byte_end <= begin) continue;
    if (!out) out = TokenSpan{token.position, token.position};
    out->last = token.position;
  }
  return out;
}

}  // namespace qwen3guard::evaluation
