// SPDX-License-Identifier: Apache-2.0
// Prints the digest of what this build computes, by instruction set; same_bytes_test.py compares builds.
#include "parallel_digest.hpp"

#include <cstdio>

int main() {
  qwen3guard::GuardOptions options;
  options.n_threads = 3;
  for (const std::string& isa : qwen3guard::Guard::load_embedded("nano-gen").value().info().isa_available) {
    options.isa = isa;
    std::printf("%s %s\n", isa.c_str(), q3g_test::digest(options).c_str());
  }
}
