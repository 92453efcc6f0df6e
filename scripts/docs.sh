#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The reference of the C++ and C interfaces, by Doxygen, in build/docs/html. Fails when Doxygen warns of anything:
# something public without a description, a reference to nothing, a comment that it cannot read.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if ! command -v doxygen > /dev/null; then
  echo "No doxygen here; on Debian and Ubuntu: apt-get install doxygen" >&2
  exit 1
fi

version_part() { sed -n "s/^#define QWEN3GUARD_VERSION_$1 //p" include/qwen3guard/version.hpp; }
Q3G_VERSION=$(version_part MAJOR).$(version_part MINOR).$(version_part PATCH)
export Q3G_VERSION

log=build/logs/doxygen.log
rm -rf build/docs
mkdir -p build/docs
logged "$log" doxygen docs/Doxyfile # which is quiet: what it prints is warnings
if [[ -s $log ]]; then
  cat "$log"
  exit 1
fi
echo "build/docs/html/index.html"
