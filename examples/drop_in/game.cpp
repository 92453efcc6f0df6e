// SPDX-License-Identifier: Apache-2.0
// A game's chat line, judged by the model that is compiled in or by the packed one or the folder that is
// given.
#include <cstdio>

#include "qwen3guard.hpp"

int main(int argc, char** argv) {
  namespace q3g = qwen3guard;
  const auto guard = argc > 1 ? q3g::Guard::load(argv[1]) : q3g::Guard::load_embedded("nano-gen");
  if (!guard.ok()) {
    std::fprintf(stderr, "%s\n", guard.error().detail.c_str());
    return 2;
  }
  for (const char* line :
       {"Nice shot! Want to trade your shield?", "I know where you live and I will kill you."}) {
    const auto verdict = guard->classify_prompt(line);
    const bool shown =
        verdict.ok() && verdict->ruling.action == q3g::Action::allow;  // what was not judged is not shown
    std::printf("%s: %s\n", shown ? "shown" : "held", line);
    if (!verdict.ok()) std::fprintf(stderr, "%s\n", verdict.error().detail.c_str());
  }
}
