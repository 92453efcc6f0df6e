#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# conan.sh [option...]: the recipe, as far as it runs without Conan's servers: with the system's libraries, and its own test
# program. Conan is fetched once, to build/; exit code 77: it cannot be. What can be said of the vcpkg port without vcpkg is
# the test install/recipes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=$PWD/build/conan-venv
if [[ ! -x $venv/bin/conan ]] && ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q conan==2.9.2; }; then
  echo "skipped: Conan cannot be installed"
  exit 77
fi
export CONAN_HOME=$PWD/build/conan-home
"$venv/bin/conan" profile detect --force
"$venv/bin/conan" create cmake/packages/conan -o '&:system_dependencies=True' "$@" -s compiler.cppstd=20 \
  -c tools.cmake.cmaketoolchain:generator=Ninja -c "tools.cmake.cmake_layout:test_folder=$PWD/build/conan-test" \
  -c "tools.build:jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
