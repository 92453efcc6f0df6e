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
  if (layout.type == KvType::bf16) {
    kernels.gemm_bf16({.w = run.keys,
                       .panel_bytes = layout.key_panel_bytes(),
                       .x = block.q16,
                       .ldx = layout.padded_dim(),
                       .y = scores,
                       .ldy = kBlockKeys,
                       .m = rows,
                       .n = run.n,
                       .k = layout.padded_dim()});
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
  if (layout.type == KvType::bf16) {
    kernels.gemm_bf16({.w = run.values,
                       .panel_bytes = layout.value_panel_bytes(),
                       .x = block.weights + column,
                       .ldx = kBlockKeys,
                       .y = block.out,
                       .ldy = d,
                       .m = rows,
                       .n = d,
                       .k = (run.n + 31) / 32 * 32,
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
