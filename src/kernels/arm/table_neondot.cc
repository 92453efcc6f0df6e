// SPDX-License-Identifier: Apache-2.0
#define Q3G_NEON_DOTPROD
#include "kernels/arm/idot_neon.hpp"
#include "kernels/tables.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableNeondot = table_of("neondot", Q3G_GEMM_OF(scalar));

}  // namespace qwen3guard::detail
