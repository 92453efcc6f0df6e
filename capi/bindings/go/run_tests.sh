#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the Go module against the C library there, with the race detector and cgo's strictest
# pointer checks. Exit code 77: Go is older than the module takes.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
include=$(cd ../.. && pwd)
export CGO_CFLAGS="-I$include" CGO_LDFLAGS="-L$build/capi -lqwen3guard_c" LD_LIBRARY_PATH=$build/capi GOTOOLCHAIN=local
oldest=1.21
version=$(go env GOVERSION)
if [[ $(printf '%s\n' $oldest "${version#go}" | sort -V | head -n 1) != "$oldest" ]]; then
  echo "skipped: $version; the module needs go$oldest or newer"
  exit 77
fi
export GOFLAGS="-tags=qwen3guard_env -mod=mod"
status=0
check() { "$@" || { echo "failed: $*" && status=1; }; }
formatted() { [[ -z $(gofmt -l . | tee /dev/stderr) ]]; }
check formatted
check go vet ./...
check go test -count=1 -v .
check env GOEXPERIMENT=cgocheck2 go test -count=1 -race .
for example in examples/*/; do
  check go run "./$example"
done
exit $status
