#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a call costs through each binding beside the same call in C++, as a Markdown table. Languages that are not
# installed are left out.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"

build=$PWD/build/release
{
  cmake --preset release -DQ3G_BUILD_BENCHMARKS=ON
  cmake --build --preset release --target overhead_bench qwen3guard_c
} > build/logs/overhead_build.log 2>&1 || { tail build/logs/overhead_build.log >&2 && exit 1; }
export LD_LIBRARY_PATH=$build/capi QWEN3GUARD_LIB_DIR=$build/capi
out=$build/bindings/overhead
mkdir -p "$out"
{
  "$build/benchmarks/overhead_bench"
  if command -v cargo > /dev/null; then
    (cd capi/bindings/rust && CARGO_TARGET_DIR=$out/rust cargo run --offline --locked --quiet --release --example overhead)
  fi
  if command -v go > /dev/null; then
    (cd capi/bindings/go && CGO_CFLAGS="-I$PWD/../.." CGO_LDFLAGS="-L$build/capi -lqwen3guard_c" \
      go run -tags qwen3guard_env ./cmd/overhead)
  fi
  if command -v mcs > /dev/null; then
    mcs -nologo -unsafe -langversion:7.2 -optimize+ "-out:$out/overhead.exe" capi/bindings/csharp/src/*.cs \
      capi/bindings/csharp/examples/Overhead.cs
    mono "$out/overhead.exe"
  fi
  PYTHONPATH=capi/bindings/python/src python3 -B capi/bindings/python/benchmarks/overhead.py
} | awk '
  { ns[$1, $2] = $3; if (!seen[$1]++) order[++n] = $1 }
  END {
    print "| | encode, ns | over C++ | decision, ns | over C++ |"
    print "|---|---:|---:|---:|---:|"
    for (i = 1; i <= n; ++i) {
      l = order[i]
      printf "| %s | %d | %d | %d | %d |\n", l, ns[l, "encode"], ns[l, "encode"] - ns["cpp", "encode"],
        ns[l, "decision"], ns[l, "decision"] - ns["cpp", "decision"]
    }
  }'
