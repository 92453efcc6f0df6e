// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_ATTENTION_BLOCK_HPP
#define QWEN3GUARD_SRC_MODEL_ATTENTION_BLOCK_HPP

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.hpp"
#include "model/kv_page.hpp"

namespace qwen3guard::detail {

/// Rows (queries times heads of a group) and keys of one block of scores: 32 KiB, inside a first-level cache
/// with room for the output rows.
inline constexpr std::size_t kBlockRows = 32;
inline constexpr std::size_t kBlockPages = 4, kBlockKeys = kBlockPages * kKvPageTokens;

/// One worker's scratch, cut into its arrays. Every array starts on a 64-byte boundary when the scratch does.
struct AttentionBlock {
  float *q, *out;                // [rows, head_dim]
  float* scores;                 // [rows, kBlockKeys]
  float *peak, *mass;            // [rows]: largest score so far; sum of exp(score - peak)
  std::uint16_t *q16, *weights;  // where they are rounded: [rows, padded_dim], [rows, kBlockKeys]

  static std::size_t floats(std::size_t rows, std::size_t head_dim) noexcept {
    return rows * (2 * padded(head_dim) + kBlockKeys) + 2 * padded(rows) +
           rows * (padded(head_dim) + kBlockKeys) / 2;
  }
  AttentionBlock(float* scratch, std::size_t rows, std::size_t head_dim) noexcept
      : q(scratch),
        out(q + rows * padded(head_dim)),
        scores(out + rows * padded(head_dim)),
        peak(scores + rows * kBlockKeys),
        mass(peak + padded(rows)),
        q16(reinterpret_cast<std::uint16_t*>(mass + padded(rows))),
        weights(q16 + rows * padded(head_dim)) {}

 private:
  static std::size_t padded(std::size_t n) noexcept { return (n + 31) / 32 * 32; }
};

/// One page's part of a block: n tokens that start in slot 0.
struct KeyRun {
  const std::byte *keys, *values;  // blocks of KvPage
  std::size_t n = 0;
};

/// scores[r][0 .. run.n) = q[r] . key; rows of kBlockKeys scores. False when packing memory could not be had.
[[nodiscard]] bool score_run(const AttentionBlock& block, float* scores, std::size_t rows, const KeyRun& run,
                             const KvLayout& layout, const KernelTable& kernels) noexcept;

/// out[r] += sum over the run's tokens of weight * value. `column`: where the run's weights begin in the
/// block. Weights up to the page's end are zero where there is no token.
[[nodiscard]] bool add_values(const AttentionBlock& block, std::size_t column, std::size_t rows,
                              const KeyRun& run, const KvLayout& layout, const KernelTable& kernels) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_ATTENTION_BLOCK_HPP
