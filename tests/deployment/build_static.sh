#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the static program, as docs/deployment.md says, for the tests beside this file.
# Exit code 77: the sources of what is built in cannot be fetched.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"
scripts/fetch_sources.sh > /dev/null || {
  echo "q3g-skipped: no sources of the libraries that are built in"
  exit 77
}
CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(job_count)}
export CMAKE_BUILD_PARALLEL_LEVEL
cmake --preset static
cmake --build --preset static
