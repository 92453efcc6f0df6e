#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures this runtime end to end on random weights of the published shapes and writes Markdown to standard output.
#   benchmarks/e2e/run.sh [--shapes 0.6b,4b,8b] [--threads N] > e2e.md
# A shape is left out when its BF16 checkpoint does not fit the memory beside its packed form. Models are made once, in
# build/peers/models.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/../../scripts/common.sh"

shapes=0.6b threads=0
while (($#)); do
  case $1 in
    --shapes) shapes=${2:?} && shift ;;
    --threads) threads=${2:?} && shift ;;
    *) sed -n '3,6p' "$0" >&2 && exit 2 ;;
  esac
  shift
done

models=build/peers/models
python=$(scripts/make_venv.sh)
{
  cmake --preset release -DQ3G_BUILD_BENCHMARKS=ON
  cmake --build --preset release --target e2e_bench qwen3guard_cli
} > build/logs/e2e_build.log 2>&1 || { tail build/logs/e2e_build.log >&2 && exit 1; }

declare -A gigabytes=([0.6b]=2 [4b]=13 [8b]=27)
available=$(awk '/MemAvailable/ { print int($2 / 1e6) }' /proc/meminfo)
for shape in ${shapes//,/ }; do
  if ((available < ${gigabytes[$shape]:-99})); then
    echo "$shape is left out: it needs ${gigabytes[$shape]:-99} GB of memory, $available are free" >&2
    continue
  fi
  for kind in gen stream; do
    folder=$models/$kind-$shape
    [[ -f $folder/config.json ]] ||
      "$python" benchmarks/peers/make_random_model.py --shape "$shape" --kind "$kind" --out "$folder" >&2
    for type in int8 int4 bf16 fp16; do
      packed=$folder-$type.q3g
      [[ -f $packed && $packed -nt build/release/bin/qwen3guard ]] ||
        build/release/bin/qwen3guard quantize --model "$folder/" --type $type --out "$packed" --force >&2
      build/release/benchmarks/e2e_bench "$packed" "$threads"
    done
  done
done
