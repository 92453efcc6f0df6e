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

# GCC before 13 believes that ldtilecfg reads 8 bytes and drops the stores to the other 56; llama.cpp then crashes on
# the first AMX product. Clang knows better; without it GCC has to keep all stores.
llama_flags=
if [[ -z ${CXX:-} ]]; then
  if command -v clang++ > /dev/null; then
    export CC=clang CXX=clang++
  else
    llama_flags="-fno-dse -fno-tree-dse"
  fi
fi
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
"$python" -c 'import llama_cpp; print(llama_cpp.llama_print_system_info().decode())'

scripts/fetch_test_data.sh # the tokenizer, for models that are made
exec "$python" -B benchmarks/peers/run_peers.py "$@"
