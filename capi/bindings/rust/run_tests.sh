#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the Rust crates against the C library there, and their documentation; formatting and
# Clippy where they are installed. Ends with "N passed, N failed".
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
export CARGO_TARGET_DIR=$build/bindings/rust QWEN3GUARD_LIB_DIR=$build/capi LD_LIBRARY_PATH=$build/capi
mkdir -p "$CARGO_TARGET_DIR"
passed=0 failed=0
check() { # <name> <command...>: counts the tests that cargo tells of, or 1
  local log=$CARGO_TARGET_DIR/$1.log ok=true count
  shift
  "$@" > "$log" 2>&1 || ok=false
  count=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$log" |
    awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
  read -r p f <<< "$count"
  if ((p + f == 0)); then
    if $ok; then p=1; else f=1; fi
  elif ! $ok && ((f == 0)); then
    f=1
  fi
  if ((f)); then tail -n 60 "$log"; fi
  passed=$((passed + p)) failed=$((failed + f))
}
check build cargo build --offline --locked --workspace --all-targets
check tests cargo test --offline --locked --workspace
check example cargo run --offline --locked --quiet --example stream
RUSTDOCFLAGS="-D warnings" check docs cargo doc --offline --locked --workspace --no-deps
if cargo clippy --version > /dev/null 2>&1; then
  check clippy cargo clippy --offline --locked --workspace --all-targets -- -D warnings
fi
if cargo fmt --version > /dev/null 2>&1; then
  check format cargo fmt --all --check
fi
echo "$passed passed, $failed failed"
((failed == 0))
