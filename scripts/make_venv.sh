#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes build/venv with the packages of tests/tools/requirements.txt, in the versions pinned there, and prints the path
# of its python. Does nothing when it is there already. Exit code 1: no network, or no such versions for this Python.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

requirements=tests/tools/requirements.txt
venv=build/venv
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  rm -rf "$venv"
  logged build/logs/venv.log python3 -m venv "$venv" >&2
  logged build/logs/pip.log "$venv/bin/python" -m pip install --disable-pip-version-check --only-binary :all: \
    -r "$requirements" >&2
  cp "$requirements" "$venv/requirements.txt"
fi
echo "$PWD/$venv/bin/python"
