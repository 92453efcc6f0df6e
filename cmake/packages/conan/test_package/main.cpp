// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "qwen3guard/qwen3guard.hpp"

int main() {
  for (const auto& name : qwen3guard::Guard::embedded_models()) {
    const auto guard = qwen3guard::Guard::load_embedded(name);
    if (!guard.ok()) return 1;
    const auto verdict = guard->classify_prompt("How do I bake bread?");
    if (!verdict.ok() || verdict->severity != qwen3guard::Severity::safe) return 1;
    std::printf("%s: %s\n", name.c_str(), to_string(verdict->severity));
  }
  const auto missing = qwen3guard::Guard::load("no/such/folder");
  if (missing.ok()) return 1;
  std::printf("qwen3guard %s: %s\n", qwen3guard::version(), missing.error().detail.c_str());
  return 0;
}
