#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh <build folder>: the C# binding against the C library there, by Mono (Debian: mono-mcs, mono-runtime,
# libmono-system-core4.0-cil). With Q3G_TEST_NET8=1, or in CI, also by .NET 8, which is fetched once; where it cannot be had,
# that part is skipped and says so.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$build/bindings/csharp
mkdir -p "$out"
export LD_LIBRARY_PATH=$build/capi
status=0
check() { "$@" || { echo "failed: $*" && status=1; }; }
# What the texts show is the examples, word for word.
is_shown() { # <text> <which block> <example>
  diff <(awk -v which="$2" '/^```csharp$/ { ++n; on = 1; next } /^```$/ { on = 0 } on && n == which' "$1") \
    <(tail -n +3 "examples/$3.cs")
}

# Warnings are errors, a public member without a comment included.
compile() { mcs -nologo -unsafe -langversion:7.2 -warnaserror+ -nowarn:0649 "$@"; }
check compile -target:library "-doc:$out/Qwen3Guard.xml" "-out:$out/Qwen3Guard.dll" src/*.cs
# The tests see what is internal: they are compiled together with the library.
check compile "-out:$out/tests.exe" src/*.cs tests/*.cs
check mono "$out/tests.exe"
examples=(StreamExample AsyncExample PolicyExample Overhead)
for example in "${examples[@]}"; do
  check compile "-r:$out/Qwen3Guard.dll" "-out:$out/$example.exe" "examples/$example.cs"
  if [[ $example == Overhead ]]; then continue; fi # a benchmark
  check mono "$out/$example.exe"
done
check is_shown README.md 1 StreamExample
check is_shown README.md 2 AsyncExample
check is_shown ../../../docs/policy.md 1 PolicyExample
check is_shown ../../../docs/hold_back.md 1 HoldBackExample

# .NET 8's runtime from a Python wheel, and its C# compiler, Roslyn 4.8, from a package of npm that brings it along.
net=$out/net8 roslyn=http-client-csharp-0.1.9-alpha.20241225.1
fetch_net8() {
  [[ -e $net/is_complete ]] && return
  rm -rf "$net"
  mkdir -p "$net/csc"
  python3 -m venv "$net/venv" &&
    "$net/venv/bin/python" -m pip install --disable-pip-version-check --retries 1 --no-deps --require-hashes \
      -r tests/net8/requirements.txt &&
    npm pack --fetch-retries=1 --pack-destination "$net" "@typespec/${roslyn/csharp-/csharp@}" &&
    (cd "$net" && sha512sum --check) < tests/net8/roslyn.sha512 &&
    tar -xzf "$net/typespec-$roslyn.tgz" -C "$net/csc" --strip-components=3 \
      package/dist/generator/Microsoft.CodeAnalysis{,.CSharp}.dll &&
    mcs -nologo -langversion:7.2 -r:Microsoft.CSharp.dll "-out:$net/csc/csc.dll" tests/net8/Csc.cs &&
    touch "$net/is_complete"
}
test_net8() {
  local home framework references
  home=$(echo "$net"/venv/lib/python3*/site-packages/dnv/net/runtime/.net)
  framework=$(echo "$home"/shared/Microsoft.NETCore.App/8.*)
  references=("$framework"/*.dll)
  chmod +x "$home/dotnet"
  dotnet() { "$home/dotnet" exec --runtimeconfig tests/net8/runtimeconfig.json "$@"; }
  roslyn() { dotnet "$net/csc/csc.dll" -unsafe -warn:9 -warnaserror+ -nowarn:0649 "${references[@]/#/-r:}" "$@"; }
  # As .NET Standard (but against .NET 8's own assemblies), and as .NET 8.
  check roslyn -target:library "-doc:$net/Qwen3Guard.xml" "-out:$net/Standard.dll" src/*.cs
  check roslyn -define:NET8_0_OR_GREATER -target:library "-doc:$net/Qwen3Guard.xml" "-out:$net/Qwen3Guard.dll" \
    src/*.cs
  check roslyn -define:NET8_0_OR_GREATER "-out:$net/tests.dll" src/*.cs tests/*.cs
  check dotnet "$net/tests.dll"
  for example in "${examples[@]}" HoldBackExample; do # which takes C# 8
    check roslyn "-r:$net/Qwen3Guard.dll" "-out:$net/$example.dll" "examples/$example.cs"
    if [[ $example != Overhead ]]; then check dotnet "$net/$example.dll"; fi
  done
}
if [[ ! -e $net/is_complete && -z ${CI:-} && ${Q3G_TEST_NET8:-} != 1 ]]; then
  echo "skipped: .NET 8, without Q3G_TEST_NET8=1"
elif fetch_net8 > "$out/fetch_net8.log" 2>&1; then
  test_net8
else
  echo "skipped: .NET 8 cannot be had: $(tail -n 1 "$out/fetch_net8.log")"
fi
exit $status
