// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_ISA_HPP
#define QWEN3GUARD_SRC_KERNELS_ISA_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_table.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// What the CPU tells about itself, as far as it matters here: the registers that the x86 CPUID and XGETBV
/// instructions return, 0 when the CPU has no such leaf, or what Linux says of a 64-bit Arm. Recorded values
/// make the decision testable on any machine.
struct CpuidDump {
  std::uint32_t max_leaf = 0;  ///< leaf 0, EAX
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ebx = 0, leaf7_ecx = 0, leaf7_edx = 0;  ///< leaf 7, subleaf 0
  std::uint32_t leaf7_1_eax = 0;                              ///< leaf 7, subleaf 1
  std::uint64_t xcr0 = 0;               ///< XGETBV(0); read only when OSXSAVE is set in leaf 1
  bool amx_permitted = false;           ///< the operating system lets this process use tile registers
  std::uint64_t hwcap = 0, hwcap2 = 0;  ///< Arm: Linux's AT_HWCAP and AT_HWCAP2
};

/// What the CPU has and the operating system saves on a context switch.
struct CpuFeatures {
  bool avx2 = false;        ///< AVX2, FMA and F16C
  bool avxvnni = false;     ///< AVX-VNNI, on top of avx2
  bool avx512 = false;      ///< AVX-512 F, BW, DQ and VL, on top of avx2
  bool avx512vnni = false;  ///< AVX-512 VNNI and BF16, on top of avx512
  bool amx = false;         ///< AMX tiles, int8 and BF16, on top of avx512vnni
  bool neon = false;        ///< Advanced SIMD of 64-bit Arm
  bool neondot = false;     ///< DotProd, on top of neon
  bool neoni8mm = false;    ///< I8MM and BF16, on top of neondot
};

/// Sources: Intel SDM volume 1, 13.3 and 14.3 (XCR0 bits 1-2 for AVX, 5-7 for AVX-512, 17-18 for AMX);
/// Linux, Documentation/arch/arm64/elf_hwcaps.rst.
[[nodiscard]] CpuFeatures features_of(const CpuidDump& dump) noexcept;

/// This machine's; all zero when it is neither x86 nor 64-bit Arm. Where the CPU has AMX, Linux is asked for
/// the permission to use it, which a process gets once and for all its threads (arch_prctl,
/// ARCH_REQ_XCOMP_PERM). Other systems on Arm answer in Linux's bits.
[[nodiscard]] CpuidDump read_cpuid() noexcept;

/// The tables in this build that `features` can run, best first; "scalar" is always the last.
[[nodiscard]] std::vector<const KernelTable*> tables_for(const CpuFeatures& features);

/// Names of the instruction sets that this build has and this machine runs, best first.
[[nodiscard]] std::vector<std::string> available_isas();

/// The table called `requested` ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "neon",
/// "neondot", "neoni8mm"); when that is empty, the one that the environment variable QWEN3GUARD_ISA names;
/// when that is unset or empty too, the best. The table has static storage. Errors: unsupported_isa (unknown,
/// or missing on this machine or in this build) with the available names.
[[nodiscard]] Result<const KernelTable*> select_kernels(std::string_view requested);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_KERNELS_ISA_HPP
