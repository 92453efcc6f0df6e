// SPDX-License-Identifier: Apache-2.0
#include "kernels/tables.hpp"
#include "kernels/x86/idot_avx2.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableAvx2 = table_of("avx2", Q3G_GEMM_OF(avx2));

}  // namespace qwen3guard::detail
