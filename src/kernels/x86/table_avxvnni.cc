// SPDX-License-Identifier: Apache-2.0
#define Q3G_AVX_VNNI
#include "kernels/tables.hpp"
#include "kernels/x86/idot_avx2.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableAvxvnni = table_of("avxvnni", Q3G_GEMM_OF(avx2));

}  // namespace qwen3guard::detail
