#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the Rust crates against the C library there, and their documentation; formatting and
# Clippy where they are installed. Exit code 77: Cargo is older than the crates take.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
export CARGO_TARGET_DIR=$build/bindings/rust QWEN3GUARD_LIB_DIR=$build/capi LD_LIBRARY_PATH=$build/capi
oldest=1.74
read -r _ version _ < <(cargo --version)
if [[ $(printf '%s\n' $oldest "$version" | sort -V | head -n 1) != "$oldest" ]]; then
  echo "skipped: Cargo $version; the crates need $oldest or newer"
  exit 77
fi
status=0
check() { "$@" || { echo "failed: $*" && status=1; }; }
check cargo build --offline --locked --workspace --all-targets
check cargo test --offline --locked --workspace
for example in stream policy hold_back; do
  check cargo run --offline --locked --quiet --example $example
done
RUSTDOCFLAGS="-D warnings" check cargo doc --offline --locked --workspace --no-deps
if cargo clippy --version > /dev/null 2>&1; then
  check cargo clippy --offline --locked --workspace --all-targets -- -D warnings
else
  echo "skipped: no Clippy"
fi
if cargo fmt --version > /dev/null 2>&1; then
  check cargo fmt --all --check
else
  echo "skipped: no rustfmt"
fi
exit $status
