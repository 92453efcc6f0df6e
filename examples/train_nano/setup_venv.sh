#!/bin/sh
# Make a virtual environment with the pinned versions; the package index is whatever pip is configured to use.
# Usage: setup_venv.sh [folder, default .venv beside this script]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-$here/.venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
"$venv/bin/python" -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)'
