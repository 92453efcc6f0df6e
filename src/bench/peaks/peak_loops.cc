// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set, with its flags: Q3G_ISA is its name, Q3G_ISA_<NAME> is defined
// (src/bench/CMakeLists.txt). The loops run on the types of the kernels.
#if defined(Q3G_ISA_AVXVNNI)
#define Q3G_AVX_VNNI
#elif defined(Q3G_ISA_AVX512VNNI) || defined(Q3G_ISA_AMX)
#define Q3G_AVX512_VNNI
#elif defined(Q3G_ISA_NEONDOT)
#define Q3G_NEON_DOTPROD
#elif defined(Q3G_ISA_NEONI8MM)
#define Q3G_NEON_I8MM
#endif

#include "bench/peaks/peak_loops.hpp"

#if defined(Q3G_ISA_SCALAR)
#include "kernels/scalar/idot_scalar.hpp"
#elif defined(Q3G_ISA_AVX2) || defined(Q3G_ISA_AVXVNNI)
#include "kernels/x86/idot_avx2.hpp"
#elif defined(Q3G_KERNELS_X86)
#include "kernels/x86/idot_avx512.hpp"
#else
#include <type_traits>

#include "kernels/arm/idot_neon.hpp"
#endif
#include "kernels/kernel_table.hpp"
// The loops come after what they are written over, and in this order.
// clang-format off
#include "kernels/generic/kernels.inl"
#include "kernels/generic/packed.inl"
#include "bench/peaks/generic.inl"
#if defined(Q3G_ISA_AMX)
#include "kernels/x86/packed_amx.inl"
#include "bench/peaks/amx.inl"
#elif defined(Q3G_ISA_NEONI8MM)
#include "kernels/arm/packed_i8mm.inl"
#include "bench/peaks/i8mm.inl"
#endif
// clang-format on

namespace qwen3guard::bench::Q3G_ISA {

extern const PeakLoops kPeakLoops;
#if defined(Q3G_ISA_AMX)
const PeakLoops kPeakLoops = {peak_int8_amx, peak_bf16_amx, peak_fp32, sum_of};
#elif defined(Q3G_ISA_NEONI8MM)
const PeakLoops kPeakLoops = {peak_int8_i8mm, peak_bf16_i8mm, peak_fp32, sum_of};
#else
const PeakLoops kPeakLoops = {peak_int8, peak_bf16, peak_fp32, sum_of};
#endif

}  // namespace qwen3guard::bench::Q3G_ISA
