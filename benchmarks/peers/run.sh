#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures this runtime and others on the same work, with one command: makes build/peers/venv when it is not there
# (pinned versions; llama.cpp is compiled for this machine), then starts run_peers.py. See README.md.
#   benchmarks/peers/run.sh [--shape 0.6b|4b|8b|tiny] [--model-dir DIR] [--out DIR] [--threads N] [--only ours,llama,...]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/common.sh
. "$here/../../scripts/common.sh"

requirements=benchmarks/peers/requirements.txt
llama="llama-cpp-python==0.3.36"
venv=build/peers/venv
python=$venv/bin/python
pip=("$python" -m pip install --disable-pip-version-check)

# The AMX intrinsics of some versions of GCC (12 is one) say that ldtilecfg reads 8 bytes, so the stores to the other 56
# are dropped and llama.cpp crashes on its first AMX product; these flags keep all stores. Clang 14 is no way out: the
# build leaves AMX out, and llama.cpp would be measured at less than it can do. CXX chooses another compiler.
llama_flags=
if ! "${CXX:-c++}" --version | grep -q clang; then llama_flags="-fno-dse -fno-tree-dse"; fi
stamp="$llama ${CXX:-c++} $llama_flags"

if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  headline "installing the other runtimes in $venv (once)"
  rm -rf "$venv"
  logged build/logs/peers_venv.log python3 -m venv "$venv"
  logged build/logs/peers_pip.log "${pip[@]}" --only-binary :all: -r "$requirements"
  cp "$requirements" "$venv/requirements.txt"
fi
if [[ $(cat "$venv/llama.stamp" 2> /dev/null) != "$stamp" ]]; then
  headline "compiling llama.cpp for this machine (once, some minutes)"
  CMAKE_ARGS="-DGGML_NATIVE=ON" CXXFLAGS="${CXXFLAGS:-} $llama_flags" CMAKE_BUILD_PARALLEL_LEVEL=$(job_count) \
    logged build/logs/peers_llama.log "${pip[@]}" --no-binary llama-cpp-python --no-cache-dir --force-reinstall \
    --no-deps "$llama" diskcache==5.6.3
  echo "$stamp" > "$venv/llama.stamp"
fi
info=$("$python" -c 'import llama_cpp; print(llama_cpp.llama_print_system_info().decode())')
echo "$info"
if grep -qw amx_int8 /proc/cpuinfo 2> /dev/null && [[ $info != *"AMX_INT8 = 1"* ]]; then
  echo "note: this machine has AMX and llama.cpp was built without it: its int8 and 4-bit prefill is not its best" >&2
fi

scripts/fetch_test_data.sh # the tokenizer, for models that are made
exec "$python" -B benchmarks/peers/run_peers.py "$@"
