#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The reference of the C++ and C interfaces, by Doxygen, in build/docs/html. Fails when Doxygen warns of anything.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mkdir -p build/docs build/logs
doxygen docs/Doxyfile > build/logs/doxygen.log 2> build/logs/doxygen_warnings.log < /dev/null
if [[ -s build/logs/doxygen_warnings.log ]]; then
  head -n 40 build/logs/doxygen_warnings.log
  echo "$(wc -l < build/logs/doxygen_warnings.log) warnings"
  exit 1
fi
echo "build/docs/html/index.html"
