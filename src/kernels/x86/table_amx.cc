// SPDX-License-Identifier: Apache-2.0
#define Q3G_AVX512_VNNI
#include "kernels/tables.hpp"
#include "kernels/x86/idot_avx512.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
#include "kernels/x86/packed_amx.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableAmx = [] {
  KernelTable table = table_of("amx", Q3G_GEMM_OF(avx512));
  table.gemm_q8 = gemm_q8_amx;
  table.gemm_q4 = gemm_q4_amx;
  table.gemm_bf16 = gemm_bf16_amx;
  return table;
}();

}  // namespace qwen3guard::detail
