#!/bin/sh
# Make a virtual environment with the pinned versions that check.py compares with. The package index is whatever pip is
# configured to use; on Linux its default gives PyTorch with the libraries for GPUs (several GB on disk), which the CPU
# does not need: an index of CPU builds, where you have one, gives the same figures from less.
# Usage: setup_venv.sh [folder, default .venv beside this script]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-$here/.venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
"$venv/bin/python" -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)'
