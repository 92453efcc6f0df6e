#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long runs that are not part of scripts/test.sh: streams for a million tokens and more, see
# benchmarks/streams/README.md, and the server under load for half an hour and more, see benchmarks/server/README.md.
#   scripts/soak.sh [TOKENS [SEED]]
#   scripts/soak.sh server [SECONDS]
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# build <target>...: in build/release.
build() {
  mkdir -p build/logs
  {
    cmake --preset release -DQ3G_BUILD_BENCHMARKS=ON
    cmake --build --preset release --target "$@"
  } > build/logs/soak_build.log 2>&1 || { tail build/logs/soak_build.log >&2 && exit 1; }
}

if [[ ${1:-} != server ]]; then
  build stream_soak
  exec build/release/benchmarks/stream_soak "$@"
fi

build server_bench qwen3guard_cli
ulimit -n "$(ulimit -Hn)"
log=build/logs/soak_server.log
build/release/bin/qwen3guard serve --port 0 --session-timeout-s 30 --read-timeout-s 5 --write-timeout-s 5 2> "$log" &
server=$!
trap 'kill "$server" 2> /dev/null; wait "$server"' EXIT
for _ in {1..100}; do
  url=$(sed -n 's/.*listening on //p' "$log")
  [[ -n $url ]] && break
  sleep 0.1
done
[[ -n $url ]] || { cat "$log" >&2 && exit 1; }
build/release/benchmarks/server_bench --url "$url" --pid "$server" --soak "${2:-1800}"
