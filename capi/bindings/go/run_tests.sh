#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the Go module against the C library there, with the race detector and cgo's strictest
# pointer checks. Ends with "N passed, N failed".
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$build/bindings/go
mkdir -p "$out"
include=$(cd ../.. && pwd)
export CGO_CFLAGS="-I$include" CGO_LDFLAGS="-L$build/capi -lqwen3guard_c" LD_LIBRARY_PATH=$build/capi GOTOOLCHAIN=local
export GOFLAGS="-tags=qwen3guard_env -mod=mod"
passed=0 failed=0
check() { # <name> <command...>: counts the tests that go tells of, or 1
  local log=$out/$1.log ok=true p f
  shift
  "$@" > "$log" 2>&1 || ok=false
  p=$(grep -c '^ *--- PASS' "$log" || true) f=$(grep -c '^ *--- FAIL' "$log" || true)
  if ((p + f == 0)); then
    if $ok; then p=1; else f=1; fi
  elif ! $ok && ((f == 0)); then
    f=1
  fi
  if ((f)); then tail -n 60 "$log"; fi
  passed=$((passed + p)) failed=$((failed + f))
}
formatted() { [[ -z $(gofmt -l . | tee /dev/stderr) ]]; }
check format formatted
check vet go vet ./...
check tests go test -count=1 -v .
check race env GOEXPERIMENT=cgocheck2 go test -count=1 -race .
check example go run ./examples/stream
echo "$passed passed, $failed failed"
((failed == 0))
