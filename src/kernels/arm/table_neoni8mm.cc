// SPDX-License-Identifier: Apache-2.0
#define Q3G_NEON_I8MM
#include <type_traits>

#include "kernels/arm/idot_neon.hpp"
#include "kernels/tables.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
#include "kernels/arm/packed_i8mm.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableNeoni8mm = [] {
  KernelTable table = table_of("neoni8mm", Q3G_GEMM_OF(scalar));
  table.gemm_q8 = matrix_product<QuantisedPairs<Q8>>;
  table.gemm_q4 = matrix_product<QuantisedPairs<Q4>>;
  table.gemm_bf16 = matrix_product<Bf16Pairs>;
  return table;
}();

}  // namespace qwen3guard::detail
