#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long run that is not part of scripts/test.sh: streams for a million tokens and more, see
# benchmarks/streams/README.md.
#   scripts/soak.sh [TOKENS [SEED]]
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mkdir -p build/logs
{
  cmake --preset release -DQ3G_BUILD_BENCHMARKS=ON
  cmake --build --preset release --target stream_soak
} > build/logs/soak_build.log 2>&1 || { tail build/logs/soak_build.log >&2 && exit 1; }
exec build/release/benchmarks/stream_soak "$@"
