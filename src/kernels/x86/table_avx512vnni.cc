// SPDX-License-Identifier: Apache-2.0
#define Q3G_AVX512_VNNI
#include "kernels/tables.hpp"
#include "kernels/x86/idot_avx512.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableAvx512vnni = table_of("avx512vnni", Q3G_GEMM_OF(avx512));

}  // namespace qwen3guard::detail
