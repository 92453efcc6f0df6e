// SPDX-License-Identifier: Apache-2.0
#include "model/attention_block.hpp"

namespace qwen3guard::detail {
namespace {

/// Fewer rows are dot products; the matrix product's packing does not pay for them.
constexpr std::size_t kMinGemmRows = 8;

}  // namespace

bool score_run(const AttentionBlock& block, float* scores, std::size_t rows, const KeyRun& run,
               const KvLayout& layout, const KernelTable& kernels) noexcept {
  const std::size_t d = layout.head_dim;
  if (const KvFormat& format = layout.format(); format.is_packed) {
    const bool rounded = format.rounds_queries;
    (kernels.*format.gemm)({.w = run.keys,
                            .panel_bytes = layout.key_panel_bytes(),
                            .x = rounded ? static_cast<const void*>(block.q16) : block.q,
                            .ldx = rounded ? layout.padded_dim() : d,
                            .y = scores,
                            .ldy = kBlockKeys,
                            .m = rows,
                            .n = run.n,
                            .k = rounded ? layout.padded_dim() : d});
    return true;
  }
  if (rows >= kMinGemmRows) {
    return kernels.gemm_nt({.a = block.q,
                            .lda = d,
                            .b = reinterpret_cast<const float*>(run.keys),
                            .ldb = d,
                            .c = scores,
                            .ldc = kBlockKeys,
                            .m = rows,
                            .n = run.n,
                            .k = d});
  }
  kernels.dot_f32(
      {.w = run.keys, .x = block.q, .ldx = d, .y = scores, .ldy = kBlockKeys, .m = rows, .n = run.n, .k = d});
  return true;
}

bool add_values(const AttentionBlock& block, std::size_t column, std::size_t rows, const KeyRun& run,
                const KvLayout& layout, const KernelTable& kernels) noexcept {
  const std::size_t d = layout.head_dim;
  if (const KvFormat& format = layout.format(); format.is_packed) {
    const bool rounded = format.rounds_queries;
    const std::size_t unit = rounded ? 32 : 2;
    (kernels.*
     format.gemm)({.w = run.values,
                   .panel_bytes = layout.value_panel_bytes(),
                   .x = rounded ? static_cast<const void*>(block.weights + column) : block.scores + column,
                   .ldx = kBlockKeys,
                   .y = block.out,
                   .ldy = d,
                   .m = rows,
                   .n = d,
                   .k = (run.n + unit - 1) / unit * unit,
                   .accumulate = true});
    return true;
  }
  const auto* values = reinterpret_cast<const float*>(run.values);
  if (rows >= kMinGemmRows) {
    return kernels.gemm_nn_add({.a = block.scores + column,
                                .lda = kBlockKeys,
                                .b = values,
                                .ldb = d,
                                .c = block.out,
                                .ldc = d,
                                .m = rows,
                                .n = d,
                                .k = run.n});
  }
  for (std::size_t r = 0; r < rows; ++r) {
    kernels.add_weighted_rows(block.out + r * d, block.scores + r * kBlockKeys + column, values, run.n, d);
  }
  return true;
}

}  // namespace qwen3guard::detail
