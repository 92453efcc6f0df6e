// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_TABLES_HPP
#define QWEN3GUARD_SRC_KERNELS_TABLES_HPP

#include "kernels/kernel_table.hpp"

/// The products of plain matrices of a table: those of a build of Eigen (src/tensor/gemm_eigen.cc), or
/// without Eigen those of kernels/generic/gemm.inl, which are the same up to rounding.
#ifdef Q3G_WITH_EIGEN
#define Q3G_GEMM_OF(isa) gemm_nt_##isa, gemm_nn_add_##isa
#else
#define Q3G_GEMM_OF(isa) gemm_nt_by_dots, gemm_nn_add_by_rows
#endif

// Declarations only: files with instruction-set flags include this (see kernel_table.hpp).
namespace qwen3guard::detail {

extern const KernelTable kTableScalar;
bool gemm_nt_scalar(const GemmArgs& args) noexcept;
bool gemm_nn_add_scalar(const GemmArgs& args) noexcept;

#ifdef Q3G_KERNELS_X86
extern const KernelTable kTableAvx2;
bool gemm_nt_avx2(const GemmArgs& args) noexcept;
bool gemm_nn_add_avx2(const GemmArgs& args) noexcept;

extern const KernelTable kTableAvxvnni;

extern const KernelTable kTableAvx512;
bool gemm_nt_avx512(const GemmArgs& args) noexcept;
bool gemm_nn_add_avx512(const GemmArgs& args) noexcept;

extern const KernelTable kTableAvx512vnni;
extern const KernelTable kTableAmx;
#endif

#ifdef Q3G_KERNELS_ARM
extern const KernelTable kTableNeon;
extern const KernelTable kTableNeondot;
extern const KernelTable kTableNeoni8mm;
#endif

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_KERNELS_TABLES_HPP
