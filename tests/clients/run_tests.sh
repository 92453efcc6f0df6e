#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The clients that people have, in pinned versions, against `serve`: OpenAI's for Python and JavaScript, and curl.
#   run_tests.sh PROGRAM
# Exit code 77: a client is not here and cannot be fetched.
set -euo pipefail
program=$(realpath "$1")
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"
here=$PWD/tests/clients

skip() {
  echo "q3g-skipped: no $*"
  exit 77
}

"$program" serve --help > /dev/null 2>&1 || skip "serve in this build"
for needed in curl node npm; do
  command -v $needed > /dev/null || skip $needed
done
python=$(scripts/make_venv.sh --clients) || skip "registry of Python packages, or no such versions in it"

modules=$(scripts/make_node_modules.sh "$here") || skip "registry of npm packages, or no such versions in it"

export Q3G_CLI=$program Q3G_CLIENT_MODULES=$modules PYTHONPATH=$PWD/tests/tools
(cd "$here" && "$python" -B -m unittest -v openai_python_test openai_javascript_test proxy_python_test curl_test)
echo "passed: openai for Python $("$python" -c 'import openai; print(openai.__version__)') (Python $("$python" -c 'import platform; print(platform.python_version())')), openai for" \
  "JavaScript $(sed -n 's/.*"version": "\(.*\)".*/\1/p' "$modules/node_modules/openai/package.json") (Node.js $(node --version)), $(curl --version | cut -d' ' -f1,2 | head -n 1)"
