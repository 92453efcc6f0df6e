// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "qwen3guard/qwen3guard.hpp"

int main() {
  for (const auto& name : qwen3guard::Guard::embedded_models()) {
    const auto verdict =
        qwen3guard::Guard::load_embedded(name).value().classify_prompt("How do I bake bread?");
    std::printf("%s: %s\n", name.c_str(), to_string(verdict.value().severity));
  }
}
