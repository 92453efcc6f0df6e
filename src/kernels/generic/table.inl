// SPDX-License-Identifier: Apache-2.0
// The table of an instruction set whose types and matrix products are given; included after kernels.inl and
// packed.inl.
#ifndef Q3G_WITH_EIGEN
#include "kernels/generic/gemm.inl"
#endif

namespace {

constexpr qwen3guard::detail::KernelTable table_of(
    const char* name, bool (*gemm_nt)(const qwen3guard::detail::GemmArgs&) noexcept,
    bool (*gemm_nn_add)(const qwen3guard::detail::GemmArgs&) noexcept) {
  return {
      .name = name,
      .gemm_nt = gemm_nt,
      .gemm_nn_add = gemm_nn_add,
      .dot_f32 = dot_rows<F32>,
      .dot_bf16 = dot_rows<Bf16>,
      .dot_f16 = dot_rows<F16>,
      .widen_bf16 = widen<Bf16>,
      .widen_f16 = widen<F16>,
      .rms_norm = rms_norm,
      .silu_mul = silu_mul,
      .add = add_to,
      .max = max_of,
      .exp_sum = exp_sum,
      .scale = scale_by,
      .add_weighted_rows = add_weighted_rows,
      .rotate = rotate,
      .gemm_q8 = packed_product<QuantisedTile<Q8>>,
      .gemm_q4 = packed_product<QuantisedTile<Q4>>,
      .gemm_bf16 = packed_product<Bf16Tile>,
      .gemm_f16 = packed_product<F16Tile>,
      .quantise_q8 = quantise_q8,
      .round_bf16 = round_to<store_bf16>,
      .round_f16 = round_to<store_f16>,
  };
}

}  // namespace
