// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "kernels/isa.hpp"
#include "kernels/tables.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {

std::vector<const KernelTable*> tables_for(const CpuFeatures& features) {
  std::vector<const KernelTable*> tables;
#ifdef Q3G_KERNELS_X86
#ifdef Q3G_KERNELS_AMX
  if (features.amx) tables.push_back(&kTableAmx);
#endif
  if (features.avx512vnni) tables.push_back(&kTableAvx512vnni);
  if (features.avx512) tables.push_back(&kTableAvx512);
  if (features.avxvnni) tables.push_back(&kTableAvxvnni);
  if (features.avx2) tables.push_back(&kTableAvx2);
#elif defined(Q3G_KERNELS_ARM)
#ifdef Q3G_KERNELS_I8MM
  if (features.neoni8mm) tables.push_back(&kTableNeoni8mm);
#endif
  if (features.neondot) tables.push_back(&kTableNeondot);
  if (features.neon) tables.push_back(&kTableNeon);
#else
  (void)features;
#endif
  tables.push_back(&kTableScalar);
  return tables;
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) names.emplace_back(table->name);
  return names;
}

Result<const KernelTable*> select_kernels(std::string_view requested) {
  const std::vector<const KernelTable*> tables = tables_for(features_of(read_cpuid()));
  const char* asked_by = "the options";
  if (requested.empty()) {
    const char* variable = std::getenv("QWEN3GUARD_ISA");
    if (variable != nullptr) requested = variable;
    asked_by = "the environment variable QWEN3GUARD_ISA";
  }
  if (requested.empty()) return tables.front();
  std::string names;
  for (const KernelTable* table : tables) {
    if (requested == table->name) return table;
    names += names.empty() ? "" : ", ";
    names += table->name;
  }
  return error(ErrorCode::unsupported_isa, "instruction set ", quote(requested), ", asked for by ", asked_by,
               ", is not available; this build on this CPU has: ", names);
}

}  // namespace qwen3guard::detail
