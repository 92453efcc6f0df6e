// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_ROPE_HPP
#define QWEN3GUARD_SRC_MODEL_ROPE_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace qwen3guard::detail {

/// Rotary position embedding in the half-split form: element i turns with element i + head_dim / 2 by the
/// angle position * theta^(-2 i / head_dim). Oracle: `rope` in forward.
class Rope {
 public:
  Rope(std::size_t head_dim, double theta) {
    // In double: an error of the frequency is multiplied by the position, up to 32768.
    for (std::size_t i = 0; i < head_dim; i += 2)
      frequencies_.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(head_dim)));
  }

  /// table: [head_dim] = head_dim / 2 cosines, then as many sines, of one position (KernelTable::rotate).
  void fill(std::size_t position, std::span<float> table) const noexcept {
    const std::size_t half = frequencies_.size();
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * frequencies_[i];
      table[i] = static_cast<float>(std::cos(angle));
      table[half + i] = static_cast<float>(std::sin(angle));
    }
  }

 private:
  std::vector<double> frequencies_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_ROPE_HPP
