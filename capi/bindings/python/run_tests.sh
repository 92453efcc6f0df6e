#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the Python binding against the C library there. With Q3G_TEST_WHEEL=1, or in CI, also builds
# the wheel in an environment of its own and runs the tests with it, and mypy.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$build/bindings/python
mkdir -p "$out"
cd "$out"
export PYTHONDONTWRITEBYTECODE=1
status=0
check() { "$@" || { echo "failed: $*" && status=1; }; }
check_all() { # <python>
  local test
  for test in "$here"/tests/test_*.py; do check "$1" "$test" -v; done
}

export Q3G_CLI=${Q3G_CLI:-$build/bin/qwen3guard} # dictionaries are compared with its JSON, where it is
export QWEN3GUARD_LIB_DIR=$build/capi PYTHONPATH=$here/src
check_all python3
for example in "$here"/examples/*.py; do check python3 "$example"; done
if [[ -z ${CI:-} && ${Q3G_TEST_WHEEL:-} != 1 ]]; then
  echo "skipped: the wheel and mypy, without Q3G_TEST_WHEEL=1"
  exit $status
fi
unset QWEN3GUARD_LIB_DIR PYTHONPATH
python3 -m venv venv
install() { venv/bin/python -m pip install --disable-pip-version-check "$@"; }
# As deep below the source folder as the release builds, so that the compiler cache has the same objects for all of them.
check install --force-reinstall "--config-settings=build-dir=$here/../../../build/wheel" "${here}[report]"
check install 'mypy==1.11.2'
check env -C "$here" "$out/venv/bin/python" -m mypy --cache-dir "$out/mypy" src
check_all venv/bin/python
exit $status
