#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures streams and writes Markdown, and the plot of Figure 9 beside it:
#   benchmarks/streams/run.sh [--gen MODEL --stream MODEL] [--plot FILE.svg] > streams.md
# Without models, the small ones in the library. The plot needs the Python packages of benchmarks/peers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/../../scripts/common.sh"

gen=nano-gen stream=nano-stream plot=
while (($#)); do
  case $1 in
    --gen) gen=${2:?} && shift ;;
    --stream) stream=${2:?} && shift ;;
    --plot) plot=${2:?} && shift ;;
    *) sed -n '3,5p' "$0" >&2 && exit 2 ;;
  esac
  shift
done

mkdir -p build/logs
{
  cmake --preset release -DQ3G_BUILD_BENCHMARKS=ON
  cmake --build --preset release --target history_bench figure9_bench sessions_bench
} > build/logs/streams_build.log 2>&1 || { tail build/logs/streams_build.log >&2 && exit 1; }
programs=build/release/benchmarks

echo "## A token after others: $stream"
"$programs/history_bench" "$stream"
echo
echo "## A response judged while it is written (Figure 9): $gen, $stream"
lines=$("$programs/figure9_bench" "$gen" "$stream")
printf '%s\n' '```' "$lines" '```'
if [[ $plot ]]; then
  python3 -c 'import matplotlib' 2> /dev/null || { echo "the plot needs matplotlib" >&2 && exit 1; }
  python3 "$here/plot.py" "$plot" <<< "$lines"
fi
echo
echo "## Many sessions: $stream"
for sessions in 16 64 1000; do
  "$programs/sessions_bench" "$stream" "$sessions" 10
done
