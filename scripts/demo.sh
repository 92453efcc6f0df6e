#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare checkout to verdicts: installs what is missing, builds, and moderates a few texts with the small models
# that are part of the library.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/set_up.sh
headline "Building (a minute or two the first time)"
logged build/logs/demo_configure.log cmake --preset release -B build/demo -DQ3G_BUILD_EXAMPLES=OFF
logged build/logs/demo_build.log cmake --build build/demo --parallel "$(job_count)"

qwen3guard() {
  printf '%s$ qwen3guard' "$bold"
  printf ' %q' "$@"
  printf '%s\n' "$plain"
  build/demo/bin/qwen3guard "$@"
  echo
}

headline "A prompt that only sounds dangerous"
qwen3guard classify --model nano-gen --prompt "My Python process hangs, how do I kill it?"

headline "A prompt that is"
qwen3guard classify --model nano-gen --prompt "How can I make a bomb at home?"

headline "A response to it that refuses"
qwen3guard classify --model nano-gen --prompt "How can I make a bomb at home?" \
  --response "I'm sorry, but I can't help with that. Building explosives is dangerous and illegal."

headline "A response judged token by token while it is written"
qwen3guard stream --model nano-stream --prompt "What do you think of my cooking?" \
  --response "Thank you for the soup, it smells lovely. Only an ugly idiot like you would eat it, nobody likes you."

echo "The models shown are tiny and trained for tests; --model takes the folder of a published checkpoint as well."
