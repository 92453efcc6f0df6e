// SPDX-License-Identifier: Apache-2.0
#include "kernels/scalar/idot_scalar.hpp"
#include "kernels/tables.hpp"
// The algorithms come after the types that they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "kernels/generic/table.inl"
// clang-format on

namespace qwen3guard::detail {

constexpr KernelTable kTableScalar = table_of("scalar", Q3G_GEMM_OF(scalar));

}  // namespace qwen3guard::detail
