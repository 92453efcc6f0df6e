// SPDX-License-Identifier: Apache-2.0
#include "kernels/scalar/vec_scalar.hpp"
#include "kernels/tables.hpp"
// The algorithms come after the Vec they are written over.
#include "kernels/generic/kernels.inl"

namespace qwen3guard::detail {

constexpr KernelTable kTableScalar = {
    .name = "scalar",
    .gemm_nt = gemm_nt_scalar,
    .gemm_nn_add = gemm_nn_add_scalar,
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
