#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the C# binding against the C library there, by Mono (Debian: mono-mcs, mono-runtime,
# libmono-system-core4.0-cil). Ends with "N passed, N failed".
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$build/bindings/csharp
mkdir -p "$out"
export LD_LIBRARY_PATH=$build/capi
passed=0 failed=0
compile() { mcs -nologo -unsafe -langversion:7.2 -warnaserror+ -nowarn:0649 "$@"; }
check() { # <name> <command...>
  local log=$out/$1.log
  shift
  if "$@" > "$log" 2>&1; then
    passed=$((passed + 1))
  else
    tail -n 60 "$log"
    failed=$((failed + 1))
  fi
}
check library compile -target:library "-out:$out/Qwen3Guard.dll" src/*.cs
# The tests see what is internal: they are compiled together with the library.
check compile_tests compile "-out:$out/tests.exe" src/*.cs tests/*.cs
check compile_example compile "-r:$out/Qwen3Guard.dll" "-out:$out/example.exe" examples/StreamExample.cs
check compile_overhead compile "-r:$out/Qwen3Guard.dll" "-out:$out/overhead.exe" examples/Overhead.cs
check example mono "$out/example.exe"
mono "$out/tests.exe" > "$out/tests.log" 2>&1 || tail -n 60 "$out/tests.log"
if [[ $(tail -n 1 "$out/tests.log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
  passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
else
  failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
((failed == 0))
