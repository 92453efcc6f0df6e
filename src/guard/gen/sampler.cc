// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "util/error.hpp"

namespace qwen3guard::detail {

Status check(const SamplingOptions& options) {
  if (!(options.temperature >= 0.0F) || !std::isfinite(options.temperature)) {
    return error(ErrorCode::invalid_argument, "options.temperature: ", options.temperature,
                 "; expected a finite number, 0 or more");
  }
  if (options.top_k < 0) {
    return error(ErrorCode::invalid_argument, "options.top_k: ", options.top_k, "; expected 0 (all) or more");
  }
  if (!(options.top_p > 0.0F && options.top_p <= 1.0F)) {
    return error(ErrorCode::invalid_argument, "options.top_p: ", options.top_p,
                 "; expected above 0, up to 1");
  }
  return {};
}

TokenId Sampler::sample(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  if (options_.temperature == 0.0F || options_.top_k == 1) return static_cast<TokenId>(best - logits.begin());
  const double peak = *best, temperature = options_.temperature;
  const auto weight = [&](float logit) {
    return std::exp((static_cast<double>(logit) - peak) / temperature);
  };
  // Highest logit first, then the lower id.
  const auto less = [](const auto& a, const auto& b) {
    return a.first < b.first || (!(b.first < a.first) && a.second > b.second);
  };
  heap_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) heap_.emplace_back(logits[i], static_cast<TokenId>(i));
  std::make_heap(heap_.begin(), heap_.end(), less);
  const bool takes_all = options_.top_k == 0 || static_cast<std::size_t>(options_.top_k) >= heap_.size();
  const std::size_t n_most = takes_all ? heap_.size() : static_cast<std::size_t>(options_.top_k);
  double total = 0;
  if (takes_all) {
    for (const float logit : logits) total += weight(logit);
  }
  chosen_.clear();
  double sum = 0;
  while (chosen_.size() < n_most) {
    // Without top_k the sum of all is known, and what top_p leaves out need not be put in order.
    if (takes_all && !chosen_.empty() && sum >= static_cast<double>(options_.top_p) * total) break;
    std::pop_heap(heap_.begin(), heap_.end(), less);
    const auto [logit, id] = heap_.back();
    heap_.pop_back();
    chosen_.emplace_back(weight(logit), id);
    sum += chosen_.back().first;
  }
  if (!takes_all) {
    const double wanted = static_cast<double>(options_.top_p) * sum;
    double kept = 0;
    std::size_t n = 0;
    while (n < chosen_.size() && (n == 0 || kept < wanted)) kept += chosen_[n++].first;
    chosen_.resize(n);
    sum = kept;
  }
  double at = static_cast<double>(random_() >> 11) * 0x1p-53 * sum;
  for (const auto& [mass, id] : chosen_) {
    if (at < mass) return id;
    at -= mass;
  }
  return chosen_.back().second;  // rounding
}

}  // namespace qwen3guard::detail
