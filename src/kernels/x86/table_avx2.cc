// SPDX-License-Identifier: Apache-2.0
#include "kernels/tables.hpp"
#include "kernels/x86/vec_avx2.hpp"
// The algorithms come after the Vec they are written over.
#include "kernels/generic/kernels.inl"

namespace qwen3guard::detail {

constexpr KernelTable kTableAvx2 = {
    .name = "avx2",
    .gemm_nt = gemm_nt_avx2,
    .gemm_nn_add = gemm_nn_add_avx2,
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
};

}  // namespace qwen3guard::detail
