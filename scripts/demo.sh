#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare checkout to verdicts: installs what is missing, builds, and moderates the texts of examples/demo_texts
# with the small models that are part of the library. Those texts were chosen before the models were trained: what a
# model gets wrong is shown.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/set_up.sh
headline "Building (a minute or two the first time)"
logged build/logs/demo_configure.log cmake --preset release -B build/demo -DQ3G_BUILD_EXAMPLES=OFF
logged build/logs/demo_build.log cmake --build build/demo --parallel "$(job_count)"

program=build/demo/bin/qwen3guard
texts=examples/demo_texts

# shown <words...>: a command as it could be typed.
shown() { printf '%s$ qwen3guard %s%s\n\n' "$bold" "$*" "$plain"; }

headline "Prompts, some of which only sound dangerous"
shown 'classify --model nano-gen --prompt "..."'
while IFS= read -r prompt; do
  printf '%s> %s%s\n' "$bold" "$prompt" "$plain"
  "$program" classify --model nano-gen --prompt "$prompt" < /dev/null
done < "$texts/prompts.txt"
echo

headline "A conversation, judged at each of its messages"
shown "classify --model nano-gen < $texts/conversation.jsonl"
while IFS= read -r conversation; do
  # The last message, whose verdict it is.
  printf '%s> %s%s\n' "$bold" "$(sed -E 's/.*"role": "([a-z]+)", "content": "([^"]*)"\}\]\}$/\1: \2/' <<< "$conversation")" "$plain"
  "$program" classify --model nano-gen <<< "$conversation"
done < "$texts/conversation.jsonl"
echo

headline "An answer judged token by token while it is written"
shown 'stream --model nano-stream --prompt "..." --response "..."'
{
  IFS= read -r prompt
  IFS= read -r answer
} < "$texts/streamed.txt"
printf '%s> %s%s\n' "$bold" "$prompt" "$plain"
"$program" stream --model nano-stream --prompt "$prompt" --response "$answer"
echo

echo "Both models are small and trained for demonstration; --model takes the folder of a published checkpoint as well."
echo "Judge your own texts: $program try"
