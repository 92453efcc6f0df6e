// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.hpp"

#include <cstdlib>

#include "q3g_catch.hpp"

using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;

namespace {

// Leaf 1 ECX and leaf 7 EBX as the processors report them; XCR0 as a current Linux sets it.
constexpr CpuidDump kSapphireRapids{
    .max_leaf = 0x20, .leaf1_ecx = 0x7ffefbff, .leaf7_ebx = 0xf3bfbffb, .xcr0 = 0x602e7};
constexpr CpuidDump kZen3{.max_leaf = 0x10, .leaf1_ecx = 0x7ed8320b, .leaf7_ebx = 0x219c97a9, .xcr0 = 0x207};
constexpr CpuidDump kHaswell{.max_leaf = 0xd, .leaf1_ecx = 0x7ffafbff, .leaf7_ebx = 0x000027ab, .xcr0 = 0x7};
constexpr CpuidDump kSandyBridge{.max_leaf = 0xd, .leaf1_ecx = 0x1fbae3ff, .leaf7_ebx = 0, .xcr0 = 0x7};
constexpr CpuidDump kNehalem{.max_leaf = 0xb, .leaf1_ecx = 0x0098e3fd, .leaf7_ebx = 0, .xcr0 = 0};

// Linux's words for the flags that it lists in /proc/cpuinfo.
constexpr CpuidDump kCortexA72{.hwcap = 0x8ff};
constexpr CpuidDump kNeoverseN1{.hwcap = 0x10119fff};                             // asimddp
constexpr CpuidDump kArmv86{.hwcap = 0x10119fff, .hwcap2 = 1U << 13 | 1U << 14};  // and i8mm, bf16

bool is_arm(const CpuidDump& dump, bool neon, bool neondot, bool neoni8mm) {
  const CpuFeatures features = features_of(dump);
  return features.neon == neon && features.neondot == neondot && features.neoni8mm == neoni8mm;
}

bool is(const CpuidDump& dump, bool avx2, bool avx512) {
  const CpuFeatures features = features_of(dump);
  return features.avx2 == avx2 && features.avx512 == avx512;
}

template <class Edit>
CpuidDump edited(CpuidDump dump, Edit edit) {
  edit(dump);
  return dump;
}

}  // namespace

TEST_CASE("isa: what processors have", "[kernels][isa]") {
  CHECK(is(kSapphireRapids, true, true));
  CHECK(is(kZen3, true, false));
  CHECK(is(kHaswell, true, false));
  CHECK(is(kSandyBridge, false, false));
  CHECK(is(kNehalem, false, false));
  CHECK(is({}, false, false));
}

TEST_CASE("isa: registers that the system does not save are not used", "[kernels][isa]") {
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.xcr0 = 0x7; }), true, false));
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.xcr0 = 0x67; }), true, false));  // no ZMM16-31
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.xcr0 = 0x3; }), false, false));
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.xcr0 = 0xe1; }), false, false));
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.leaf1_ecx &= ~(1U << 27); }), false, false));  // no XGETBV
}

TEST_CASE("isa: every single feature is needed", "[kernels][isa]") {
  for (const unsigned bit : {12U, 28U, 29U})
    CHECK(is(edited(kSapphireRapids, [=](auto& d) { d.leaf1_ecx &= ~(1U << bit); }), false, false));
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.leaf7_ebx &= ~(1U << 5); }), false, false));
  for (const unsigned bit : {16U, 17U, 30U, 31U})
    CHECK(is(edited(kSapphireRapids, [=](auto& d) { d.leaf7_ebx &= ~(1U << bit); }), true, false));
  CHECK(is(edited(kSapphireRapids, [](auto& d) { d.max_leaf = 6; }), false, false));
}

TEST_CASE("isa: what Arm processors have", "[kernels][isa]") {
  CHECK(is_arm(kCortexA72, true, false, false));
  CHECK(is_arm(kNeoverseN1, true, true, false));
  CHECK(is_arm(kSapphireRapids, false, false, false));
  CHECK(is_arm(kArmv86, true, true, true));
  CHECK(is(kArmv86, false, false));
  for (const unsigned bit : {13U, 14U})
    CHECK(is_arm(edited(kArmv86, [=](auto& d) { d.hwcap2 &= ~(1U << bit); }), true, true, false));
  CHECK(is_arm(edited(kArmv86, [](auto& d) { d.hwcap &= ~(1U << 20); }), true, false, false));
  CHECK(is_arm(edited(kArmv86, [](auto& d) { d.hwcap &= ~(1U << 1); }), false, false, false));
}

TEST_CASE("isa: tables come best first and end with scalar", "[kernels][isa]") {
  const auto names = available_isas();
  REQUIRE_FALSE(names.empty());
  CHECK(names.back() == "scalar");
  const auto plain = tables_for({});
  REQUIRE(plain.size() == 1);
  CHECK(std::string(plain.front()->name) == "scalar");
#if defined(__x86_64__)
  const auto all = tables_for({.avx2 = true, .avx512 = true});
  REQUIRE(all.size() == 3);
  CHECK(std::string(all[0]->name) == "avx512");
  CHECK(std::string(all[1]->name) == "avx2");
#elif defined(__aarch64__)
  CHECK(names.size() >= 2);
  const auto all = tables_for({.neon = true, .neondot = true, .neoni8mm = true});
  REQUIRE(all.size() == 4);
  CHECK(std::string(all[0]->name) == "neoni8mm");
  CHECK(std::string(all[1]->name) == "neondot");
  CHECK(std::string(all[2]->name) == "neon");
#endif
}

TEST_CASE("isa: forcing a set", "[kernels][isa]") {
  for (const std::string& name : available_isas()) {
    const auto table = select_kernels(name);
    REQUIRE(table.ok());
    CHECK((*table)->name == name);
  }
  for (const char* name : {"avx1024", "AVX2", " ", "sse2"}) {
    const auto table = select_kernels(name);
    REQUIRE_FALSE(table.ok());
    CHECK(table.error().code == ErrorCode::unsupported_isa);
    CHECK(table.error().detail.find(name) != std::string::npos);
    for (const std::string& available : available_isas())
      CHECK(table.error().detail.find(available) != std::string::npos);
  }
}

#ifndef _WIN32
TEST_CASE("isa: the environment variable", "[kernels][isa]") {
  const char* before = std::getenv("QWEN3GUARD_ISA");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("QWEN3GUARD_ISA", "scalar", 1);
  CHECK(std::string((*select_kernels(""))->name) == "scalar");
  // What the caller says comes first.
  CHECK((*select_kernels(available_isas().front()))->name == available_isas().front());
  ::setenv("QWEN3GUARD_ISA", "sse9", 1);
  const auto unknown = select_kernels("");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == ErrorCode::unsupported_isa);
  CHECK(unknown.error().detail.find("QWEN3GUARD_ISA") != std::string::npos);
  ::setenv("QWEN3GUARD_ISA", "", 1);
  CHECK((*select_kernels(""))->name == available_isas().front());
  if (before != nullptr) {
    ::setenv("QWEN3GUARD_ISA", kept.c_str(), 1);
  } else {
    ::unsetenv("QWEN3GUARD_ISA");
  }
}
#endif
