#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes an environment with the Python packages that tests need, in pinned versions, and prints the path of its python.
# Does nothing when it is there already. Exit code 1: no network, or no such versions for this Python.
#   make_venv.sh            build/venv: the references (tests/tools/requirements.txt)
#   make_venv.sh --torch    PyTorch and transformers, for what trains or compares with them; several GB, so it is kept
#                           outside the checkout, for the next one
#   make_venv.sh --clients  OpenAI's client, for tests/clients; outside the checkout, too
#   make_venv.sh --integration NAME   what tests/integrations/NAME needs; outside the checkout, too
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

options=()
case ${1:-} in
  '') venv=$PWD/build/venv requirements=(tests/tools/requirements.txt) ;;
  --torch)
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/qwen3guard/torch_venv
    requirements=(examples/train_nano/requirements.txt examples/official/requirements.txt)
    ;;
  --clients)
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/qwen3guard/clients_venv
    requirements=(tests/clients/requirements.txt)
    ;;
  --integration)
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/qwen3guard/integrations/$2
    requirements=("tests/integrations/$2/requirements.txt")
    options=(--no-deps) # the file names all that is imported, and not what is not
    ;;
  *) sed -n '3,9s/^# //p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
if ! cmp -s <(cat "${requirements[@]}") "$venv/requirements.txt"; then
  rm -rf "$venv"
  logged build/logs/venv.log python3 -m venv "$venv" >&2
  logged build/logs/pip.log "$venv/bin/python" -m pip install --disable-pip-version-check --no-cache-dir \
    --only-binary :all: ${options[@]+"${options[@]}"} "${requirements[@]/#/--requirement=}" >&2
  cat "${requirements[@]}" > "$venv/requirements.txt"
fi
echo "$venv/bin/python"
