// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/head_verdict.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

namespace qwen3guard::detail {
namespace {

/// Calls sink(index, probability) for every logit and returns the index of the largest.
template <class Sink>
std::size_t softmax_into(std::span<const float> logits, const Sink& sink) {
  const auto best = std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (const float v : logits) sum += std::exp(v - *best);
  for (std::size_t i = 0; i < logits.size(); ++i) sink(i, std::exp(logits[i] - *best) / sum);
  return static_cast<std::size_t>(best - logits.begin());
}

}  // namespace

Result<TokenVerdict> read_heads(const HeadLabels& labels, std::span<const float> risk,
                                std::span<const float> category, std::int32_t position) {
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(risk.begin(), risk.end(), finite) ||
      !std::all_of(category.begin(), category.end(), finite)) {
    return Error{ErrorCode::bad_checkpoint, "heads: a logit at token " + std::to_string(position) +
                                                " is not finite; the weights are damaged"};
  }
  TokenVerdict out;
  out.position = position;
  const std::size_t worst =
      softmax_into(risk, [&](std::size_t i, float p) { out.probabilities[labels.risk[i]] = p; });
  out.severity = labels.risk[worst];
  const std::size_t top = softmax_into(category, [&](std::size_t i, float p) {
    out.category_probabilities[static_cast<std::size_t>(labels.category[i])] = p;
  });
  out.category = labels.category[top];
  return out;
}

}  // namespace qwen3guard::detail
