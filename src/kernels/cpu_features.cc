// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.hpp"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(_M_X64)
#include <intrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_M_ARM64)
#include <windows.h>
#endif

namespace qwen3guard::detail {
namespace {

constexpr std::uint32_t kFma = 1U << 12, kOsxsave = 1U << 27, kAvx = 1U << 28,
                        kF16c = 1U << 29;  // leaf 1 ECX
constexpr std::uint32_t kAvx2 = 1U << 5, kAvx512f = 1U << 16, kAvx512dq = 1U << 17, kAvx512bw = 1U << 30,
                        kAvx512vl = 1U << 31;                                           // leaf 7 EBX
constexpr std::uint32_t kAvx512Vnni = 1U << 11;                                         // leaf 7 ECX
constexpr std::uint32_t kAmxBf16 = 1U << 22, kAmxTile = 1U << 24, kAmxInt8 = 1U << 25;  // leaf 7 EDX
constexpr std::uint32_t kAvxVnni = 1U << 4, kAvx512Bf16 = 1U << 5;                      // leaf 7.1 EAX
constexpr std::uint64_t kXmmYmm = 0x6, kOpmaskZmm = 0xe0, kTiles = 0x60000;             // XCR0

constexpr std::uint64_t kAsimd = 1U << 1, kAsimdDp = 1U << 20;  // Linux, AT_HWCAP
constexpr std::uint64_t kI8mm = 1U << 13, kBf16 = 1U << 14;     // Linux, AT_HWCAP2

constexpr bool has(std::uint64_t value, std::uint64_t bits) { return (value & bits) == bits; }

/// Linux switches the large tile state on per process, on request. Elsewhere it is not used.
[[maybe_unused]] bool ask_for_amx() noexcept {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

#if defined(__aarch64__) || defined(_M_ARM64)
void read_arm(CpuidDump& dump) noexcept {
#if defined(__linux__)
  dump.hwcap = getauxval(AT_HWCAP);
  dump.hwcap2 = getauxval(AT_HWCAP2);
#elif defined(__APPLE__)
  const auto bit_if = [](const char* name, std::uint64_t bit) {
    int value = 0;
    std::size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0 ? bit : 0;
  };
  dump.hwcap = kAsimd | bit_if("hw.optional.arm.FEAT_DotProd", kAsimdDp);
  dump.hwcap2 = bit_if("hw.optional.arm.FEAT_I8MM", kI8mm) | bit_if("hw.optional.arm.FEAT_BF16", kBf16);
#elif defined(_WIN32)
  dump.hwcap = kAsimd;
#ifdef PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE  // the names came with later versions of Windows' headers
  if (IsProcessorFeaturePresent(PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE)) dump.hwcap |= kAsimdDp;
#endif
#if defined(PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE) && defined(PF_ARM_V86_BF16_INSTRUCTIONS_AVAILABLE)
  if (IsProcessorFeaturePresent(PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE)) dump.hwcap2 |= kI8mm;
  if (IsProcessorFeaturePresent(PF_ARM_V86_BF16_INSTRUCTIONS_AVAILABLE)) dump.hwcap2 |= kBf16;
#endif
#else
  dump.hwcap = kAsimd;  // every 64-bit Arm has it
#endif
}
#endif

}  // namespace

CpuFeatures features_of(const CpuidDump& dump) noexcept {
  CpuFeatures features;
  features.neon = has(dump.hwcap, kAsimd);
  features.neondot = features.neon && has(dump.hwcap, kAsimdDp);
  features.neoni8mm = features.neondot && has(dump.hwcap2, kI8mm | kBf16);
  if (dump.max_leaf < 7 || !has(dump.leaf1_ecx, kOsxsave | kAvx) || !has(dump.xcr0, kXmmYmm)) return features;
  features.avx2 = has(dump.leaf1_ecx, kFma | kF16c) && has(dump.leaf7_ebx, kAvx2);
  features.avx512 = features.avx2 && has(dump.xcr0, kOpmaskZmm) &&
                    has(dump.leaf7_ebx, kAvx512f | kAvx512dq | kAvx512bw | kAvx512vl);
  features.avxvnni = features.avx2 && has(dump.leaf7_1_eax, kAvxVnni);
  features.avx512vnni =
      features.avx512 && has(dump.leaf7_ecx, kAvx512Vnni) && has(dump.leaf7_1_eax, kAvx512Bf16);
  features.amx = features.avx512vnni && dump.amx_permitted && has(dump.xcr0, kTiles) &&
                 has(dump.leaf7_edx, kAmxBf16 | kAmxTile | kAmxInt8);
  return features;
}

CpuidDump read_cpuid() noexcept {
  CpuidDump dump;
#if defined(__x86_64__) || defined(__i386__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  dump.max_leaf = static_cast<std::uint32_t>(__get_cpuid_max(0, nullptr));
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) dump.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    dump.leaf7_ebx = ebx;
    dump.leaf7_ecx = ecx;
    dump.leaf7_edx = edx;
    if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) dump.leaf7_1_eax = eax;
  }
  if (has(dump.leaf1_ecx, kOsxsave)) {
    // The intrinsic needs -mxsave, which this file must not have.
    std::uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    dump.xcr0 = (static_cast<std::uint64_t>(high) << 32) | low;
  }
#elif defined(_M_X64)
  int regs[4] = {};
  __cpuid(regs, 0);
  dump.max_leaf = static_cast<std::uint32_t>(regs[0]);
  __cpuid(regs, 1);
  dump.leaf1_ecx = static_cast<std::uint32_t>(regs[2]);
  if (dump.max_leaf >= 7) {
    __cpuidex(regs, 7, 0);
    dump.leaf7_ebx = static_cast<std::uint32_t>(regs[1]);
    dump.leaf7_ecx = static_cast<std::uint32_t>(regs[2]);
    dump.leaf7_edx = static_cast<std::uint32_t>(regs[3]);
    if (regs[0] >= 1) {
      __cpuidex(regs, 7, 1);
      dump.leaf7_1_eax = static_cast<std::uint32_t>(regs[0]);
    }
  }
  if (has(dump.leaf1_ecx, kOsxsave)) dump.xcr0 = _xgetbv(0);
#elif defined(__aarch64__) || defined(_M_ARM64)
  read_arm(dump);
#endif
  if (has(dump.xcr0, kTiles) && has(dump.leaf7_edx, kAmxTile)) dump.amx_permitted = ask_for_amx();
  return dump;
}

}  // namespace qwen3guard::detail
