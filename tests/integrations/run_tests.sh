#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of one integration against other people's packages, in the pinned versions of its folder.
#   run_tests.sh NAME PROGRAM LIBRARY
# NAME is a folder beside this file: requirements.txt, *_test.py, and where npm is needed package.json with its lock file.
# PROGRAM is the built program, LIBRARY the C library. The tests find them as Q3G_CLI, Q3G_LIBRARY and QWEN3GUARD_LIB_DIR,
# the packages of npm in the folder Q3G_NODE_MODULES. Exit code 77: the packages are not here and cannot be fetched, or all tests skip.
set -euo pipefail
name=$1
program=$(realpath "$2") library=$(realpath "$3")
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"
here=$PWD/tests/integrations/$name

skip() {
  echo "q3g-skipped: no $*"
  exit 77
}

python=$(scripts/make_venv.sh --integration "$name") || skip "registry of Python packages, or no such versions in it"
if [[ -e $here/package-lock.json ]]; then
  command -v npm > /dev/null || skip npm
  Q3G_NODE_MODULES=$(scripts/make_node_modules.sh "$here") || skip "registry of npm packages, or no such versions in it"
  export Q3G_NODE_MODULES
fi
export Q3G_CLI=$program Q3G_LIBRARY=$library QWEN3GUARD_LIB_DIR=${library%/*}
export PYTHONPATH=$PWD/tests/tools:$PWD/tests/clients:$PWD/tests/integrations/shared:$PWD/capi/bindings/python/src PYTHONDONTWRITEBYTECODE=1
cd "$here"
exec "$python" -B ../run_modules.py # and says what passed
