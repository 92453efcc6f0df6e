// SPDX-License-Identifier: Apache-2.0
// Uses the installed headers and library: versions agree, and every embedded model judges a prompt.
#include <cstdio>
#include <cstring>
#include <string>

#include "qwen3guard/qwen3guard.hpp"

int main(int argc, char** argv) {
  const std::string headers = std::to_string(QWEN3GUARD_VERSION_MAJOR) + "." +
                              std::to_string(QWEN3GUARD_VERSION_MINOR) + "." +
                              std::to_string(QWEN3GUARD_VERSION_PATCH);
  if (headers != qwen3guard::version()) {
    std::printf("headers %s, library %s\n", headers.c_str(), qwen3guard::version());
    return 1;
  }
  const auto models = qwen3guard::Guard::embedded_models();
  const bool wanted = argc > 1 && std::strcmp(argv[1], "ON") == 0;
  if (models.empty() == wanted) {
    std::printf("%zu embedded models\n", models.size());
    return 1;
  }
  for (const std::string& name : models) {
    const auto guard = qwen3guard::Guard::load_embedded(name);
    if (!guard.ok()) {
      std::printf("%s: %s\n", name.c_str(), guard.error().detail.c_str());
      return 1;
    }
    const auto verdict = guard->classify_prompt("How do I bake bread?");
    if (!verdict.ok()) {
      std::printf("%s: %s\n", name.c_str(), verdict.error().detail.c_str());
      return 1;
    }
    std::printf("%s: %s\n", name.c_str(), to_string(verdict->severity));
  }
  return 0;
}
