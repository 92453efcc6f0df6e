// SPDX-License-Identifier: Apache-2.0
#include "guard/heads/head_verdict.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "guard/policy/set_probability.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

/// Calls sink(index, probability) for every logit.
template <class Sink>
void softmax_into(std::span<const float> logits, const Sink& sink) {
  const float max = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (const float v : logits) sum += std::exp(v - max);
  for (std::size_t i = 0; i < logits.size(); ++i) sink(i, std::exp(logits[i] - max) / sum);
}

/// The value with the largest logit; of equal logits the larger value.
template <class Value>
Value most_probable_value(std::span<const float> logits, std::span<const Value> values) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (std::pair(logits[i], values[i]) > std::pair(logits[best], values[best])) best = i;
  }
  return values[best];
}

}  // namespace

Result<TokenVerdict> read_heads(const HeadLabels& labels, std::span<const float> risk,
                                std::span<const float> category, std::int32_t position) {
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(risk.begin(), risk.end(), finite) ||
      !std::all_of(category.begin(), category.end(), finite)) {
    return error(ErrorCode::bad_checkpoint, "heads: a logit at token ", position,
                 " is not finite; the weights are damaged");
  }
  TokenVerdict out;
  out.position = position;
  out.source = VerdictSource::heads;
  out.is_settled = true;
  softmax_into(risk, [&](std::size_t i, float p) { set_probability(out.probabilities, labels.risk[i], p); });
  out.severity = most_probable_value<Severity>(risk, labels.risk);  // a tie goes to the more severe
  softmax_into(category, [&](std::size_t i, float p) {
    out.category_probabilities[static_cast<std::size_t>(labels.category[i])] = p;
  });
  out.category = most_probable_value<Category>(category, labels.category);
  return out;
}

}  // namespace qwen3guard::detail
