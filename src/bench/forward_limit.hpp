// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_BENCH_FORWARD_LIMIT_HPP
#define QWEN3GUARD_SRC_BENCH_FORWARD_LIMIT_HPP

#include <cstdint>

#include "bench/peaks.hpp"
#include "model/config.hpp"
#include "model/weights.hpp"

namespace qwen3guard::bench {

/// What a forward pass over a model costs at least: its multiply-adds and the bytes that it must read.
struct ForwardCost {
  detail::Arithmetic linear = detail::Arithmetic::fp32;     ///< of the products with weights
  detail::Arithmetic attention = detail::Arithmetic::fp32;  ///< of the products with keys and values
  double weights = 0;             ///< elements of the layers' matrices and the response heads'
  double attended = 0;            ///< multiply-adds of all layers per query and key
  std::int64_t weight_bytes = 0;  ///< of `weights` as stored, scales included
  std::int64_t kv_bytes_per_token = 0;

  /// The least time for n_tokens after `history` others: all operations at their peak, or all bytes at that
  /// of reading, whichever is longer. In milliseconds.
  [[nodiscard]] double limit_ms(const Peaks& peaks, std::int32_t n_tokens,
                                std::int32_t history) const noexcept;
};

[[nodiscard]] ForwardCost forward_cost(const detail::ModelConfig& config,
                                       const detail::Weights& weights) noexcept;

}  // namespace qwen3guard::bench

#endif  // QWEN3GUARD_SRC_BENCH_FORWARD_LIMIT_HPP
