#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cross-builds the C library and the program for Windows, with everything built in, and runs the library's C tests and the
# program under Wine. On Debian it needs g++-mingw-w64-x86-64-posix and wine64. Not a part of scripts/test.sh. Ends with
# "N passed, N failed".
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

wine=$(command -v wine64 || command -v /usr/lib/wine/wine64 || command -v wine || true)
compiler=x86_64-w64-mingw32-gcc-posix
if [[ -z $wine ]] || ! command -v $compiler > /dev/null; then
  echo "needs $compiler and wine64; on Debian: apt-get install g++-mingw-w64-x86-64-posix wine64" >&2
  exit 1
fi
build=$PWD/build/mingw headers=$PWD/build/mingw-headers
# Headers alone, for any system.
mkdir -p "$headers/xxhash" "$headers/cli11/include" build/logs
cp /usr/include/xxhash.h "$headers/xxhash/"
cp -r /usr/include/CLI "$headers/cli11/include/"
options=(-DQ3G_BUNDLE_DEPENDENCIES=ON -DQ3G_BUILD_EXAMPLES=OFF -DFETCHCONTENT_SOURCE_DIR_EIGEN=/usr/include/eigen3
  "-DFETCHCONTENT_SOURCE_DIR_XXHASH=$headers/xxhash" "-DFETCHCONTENT_SOURCE_DIR_CLI11=$headers/cli11")
sources=$(scripts/fetch_sources.sh)
while read -r option; do options+=("$option"); done <<< "$sources"
logged build/logs/configure_mingw.log cmake --preset mingw "${options[@]}"
logged build/logs/build_mingw.log cmake --build --preset mingw --parallel "$(job_count)" --target qwen3guard_c qwen3guard_cli

work=$build/tests
rm -rf "$work" && mkdir -p "$work/files"
cp "$build/capi/qwen3guard_c.dll" "$work"
python3 -B tests/capi/hostile_calls.py capi/bindings "$work/hostile_calls.c"
compile() { # <program> <source...>
  local program=$1
  shift
  # Wine's drive Z is this machine's root.
  $compiler -std=c11 -O1 -Wall -Wextra -D__USE_MINGW_ANSI_STDIO=1 "-DQ3G_TEST_DIR=\"Z:$PWD/tests\"" -Icapi -Itests/capi "$@" \
    -o "$work/$program" "-L$build/capi" -lqwen3guard_c
}
compile abi_c11_test.exe tests/capi/abi_c11_test.c tests/capi/check.c tests/capi/*_part.c
compile hostile_calls_test.exe tests/capi/hostile_{calls_test,attacks,fixture}.c tests/capi/check.c "$work/hostile_calls.c"

export WINEDEBUG=-all WINEPREFIX=$build/wine
passed=0 failed=0
run() { # <name> <command...>
  local log=build/logs/windows_$1.log
  shift
  if (cd "$work" && timeout 900 "$@") > "$log" 2>&1; then
    passed=$((passed + 1))
  else
    tail -n 20 "$log"
    failed=$((failed + 1))
  fi
}
for part in values models memory classify tokenizer stream stream_past batch generator packing; do
  run $part "$wine" abi_c11_test.exe $part files
done
run hostile_calls "$wine" hostile_calls_test.exe files
# The program: the characters of its arguments and the bytes of its input and output are those of this system's.
run program python3 -B "$PWD/tests/windows/program.py" "$wine" "$build/bin/qwen3guard.exe" "$work"
echo "$passed passed, $failed failed"
((failed == 0))
