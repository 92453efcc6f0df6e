// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/choice.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

/// A token that fits at least one option, with the options it fits (bit i: option i).
struct Candidate {
  TokenId id;
  std::uint32_t options;
  std::size_t n_bytes;
};

constexpr std::size_t kMaxOptions = 32;

void add_candidate(std::vector<Candidate>& out, TokenId id, std::size_t option, std::size_t n_bytes) {
  const std::uint32_t bit = std::uint32_t{1} << option;
  const auto it = std::find_if(out.begin(), out.end(), [&](const Candidate& c) { return c.id == id; });
  if (it != out.end()) {
    it->options |= bit;
  } else {
    out.push_back({id, bit, n_bytes});
  }
}

/// Tokens that fit the active options once `n_consumed` bytes of them are fed.
std::vector<Candidate> candidates_for(const Tokenizer& tokenizer, std::span<const Option> options,
                                      std::uint32_t active, std::size_t n_consumed) {
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if ((active >> i & 1U) == 0) continue;
    const std::string_view left = std::string_view(options[i].text).substr(n_consumed);
    for (std::size_t n = 1; n <= left.size(); ++n) {
      if (const auto id = tokenizer.find_bytes(left.substr(0, n))) add_candidate(out, *id, i, n);
    }
    for (const TokenId id : options[i].end_tokens) add_candidate(out, id, i, 0);
  }
  return out;
}

bool is_single(std::uint32_t options) { return (options & (options - 1)) == 0; }

std::size_t index_of(std::uint32_t single_option) {
  std::size_t i = 0;
  while ((single_option >> i & 1U) == 0) ++i;
  return i;
}

/// The candidate that is taken: the highest logit; of equal ones the higher rank, then the one that fits
/// fewer options, then the lowest id (as an argmax over the vocabulary has it). With `forced`, among those
/// that fit that option.
std::optional<std::size_t> best_of(std::span<const Candidate> candidates, std::span<const float> logits,
                                   std::span<const Option> options, std::optional<std::size_t> forced) {
  const auto rank = [&](const Candidate& c) {
    int highest = 0;
    for (std::size_t i = 0; i < options.size(); ++i) {
      if ((c.options >> i & 1U) != 0) highest = std::max(highest, options[i].rank);
    }
    return highest;
  };
  const auto key = [&](std::size_t i) {
    const Candidate& c = candidates[i];
    return std::tuple(logits[i], rank(c), -std::popcount(c.options), -c.id);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (forced && (candidates[i].options >> *forced & 1U) == 0) continue;
    if (!best || key(i) > key(*best)) best = i;
  }
  return best;
}

/// Choice::probabilities.
std::vector<float> probabilities_of(std::span<const Candidate> candidates, std::span<const float> logits,
                                    std::size_t n_options) {
  constexpr float kImpossible = -std::numeric_limits<float>::infinity();
  std::vector<float> p(n_options, kImpossible);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!is_single(candidates[i].options)) continue;
    float& best = p[index_of(candidates[i].options)];
    best = std::max(best, logits[i]);
  }
  const float max = *std::max_element(p.begin(), p.end());
  float sum = 0;
  for (float& v : p) sum += v = std::exp(v - max);
  for (float& v : p) v /= sum;
  return p;
}

}  // namespace

Result<bool> Chooser::look(const Model& model, const Tokenizer& tokenizer, std::span<const float> hidden) {
  if (options_.empty() || options_.size() > kMaxOptions)
    return error(ErrorCode::internal, "choice: ", options_.size(), " options; expected 1 to ", kMaxOptions);
  const auto candidates = candidates_for(tokenizer, options_, active_, n_bytes_);
  std::vector<TokenId> ids;
  ids.reserve(candidates.size());
  for (const Candidate& c : candidates) ids.push_back(c.id);
  std::vector<float> logits(ids.size());
  model.lm_logits_for(hidden, ids, logits);
  if (!std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); })) {
    return Error{ErrorCode::bad_checkpoint,
                 "language-model head: a logit is not finite; the weights are damaged"};
  }
  const auto best = best_of(candidates, logits, options_, forced_);
  if (!best) {
    return error(ErrorCode::bad_tokenizer, "tokenizer: no token can continue the verdict ",
                 quote(options_[0].text), "; a byte-level vocabulary with all 256 bytes was expected");
  }
  const Candidate& taken = candidates[*best];
  choice_.tokens.push_back(taken.id);
  active_ = taken.options;
  n_bytes_ += taken.n_bytes;
  if (!is_single(taken.options)) return false;
  choice_.index = index_of(taken.options);
  choice_.probabilities = probabilities_of(candidates, logits, options_.size());
  return true;
}

}  // namespace qwen3guard::detail
