#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the Python binding against the C library there. Q3G_TEST_WHEEL=1: also builds the wheel in
# an environment of its own and runs the tests with it. Ends with "N passed, N failed".
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$build/bindings/python
mkdir -p "$out"
export PYTHONDONTWRITEBYTECODE=1
passed=0 failed=0

run_unittest() { # <log> <python>: every test file; what was skipped counts as neither
  local count bad skipped test log
  for test in "$here"/tests/test_*.py; do
    log=$1.$(basename "$test" .py)
    (cd "$out" && "$2" "$test" -v) > "$log" 2>&1 || true
    count=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$log")
    bad=$(sed -n 's/^FAILED (\(.*\))$/\1/p' "$log" | grep -oE '(failures|errors)=[0-9]+' | awk -F= '{ n += $2 } END { print n + 0 }' || true)
    skipped=$(sed -n 's/^\(OK\|FAILED\) (.*skipped=\([0-9]*\).*/\2/p' "$log")
    if [[ -z $count ]]; then count=1 bad=1; fi
    if ((bad)); then tail -n 40 "$log"; fi
    passed=$((passed + count - bad - ${skipped:-0})) failed=$((failed + bad))
  done
}
check() { # <log> <command...>
  local log=$1
  shift
  if "$@" > "$log" 2>&1; then
    passed=$((passed + 1))
  else
    tail -n 40 "$log"
    failed=$((failed + 1))
  fi
}

export QWEN3GUARD_LIB_DIR=$build/capi PYTHONPATH=$here/src
export Q3G_CLI=${Q3G_CLI:-$build/bin/qwen3guard} # dictionaries are compared with its JSON, where it is
run_unittest "$out/tests" python3
check "$out/example.log" python3 "$here/examples/stream.py"
if [[ ${Q3G_TEST_WHEEL:-} == 1 ]]; then
  unset QWEN3GUARD_LIB_DIR PYTHONPATH
  python3 -m venv "$out/venv"
  check "$out/wheel.log" "$out/venv/bin/python" -m pip install --disable-pip-version-check --force-reinstall \
    --config-settings=build-dir="$out/wheel-build" "$here"
  check "$out/mypy.log" "$out/venv/bin/python" -m pip install --disable-pip-version-check 'mypy==1.11.2'
  (cd "$here" && "$out/venv/bin/python" -m mypy --cache-dir "$out/mypy" src > "$out/mypy.log" 2>&1) || {
    tail -n 30 "$out/mypy.log"
    failed=$((failed + 1))
  }
  run_unittest "$out/wheel_tests" "$out/venv/bin/python"
fi
echo "$passed passed, $failed failed"
((failed == 0))
