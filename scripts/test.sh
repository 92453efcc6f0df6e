#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, then runs every test and check. A stage that fails does not stop the later ones.
#   scripts/test.sh                   everything
#   scripts/test.sh --quick           the GCC build and its tests
#   scripts/test.sh --only a,b,...    these stages
# A stage is the workflow of this name in CMakePresets.json: it configures, builds and runs tests by ctest. Logs are kept
# in build/logs. The last line is "N passed, N failed, N skipped".
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

stages=(rules gcc openmp none isa arm install bindings package small dropin docs clang asan tsan tidy python integrations)
declare -A needs=([arm]="aarch64-linux-gnu-g++ qemu-aarch64" [clang]=clang++ [asan]=clang++ [tsan]=clang++ [tidy]=clang++)
usage() {
  echo "usage: scripts/test.sh [--quick | --only STAGE[,STAGE...]]"
  echo "stages: ${stages[*]}"
}
chosen=("${stages[@]}")
case ${1:-} in
  '') ;;
  --quick) chosen=(gcc) ;;
  --only) IFS=, read -r -a chosen <<< "${2:-}" ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac
for stage in "${chosen[@]-}"; do
  [[ -n $stage && " ${stages[*]} " == *" $stage "* ]] || { usage >&2 && exit 2; }
done

logs=build/logs
CMAKE_BUILD_PARALLEL_LEVEL=$(job_count)
export CMAKE_BUILD_PARALLEL_LEVEL CTEST_PARALLEL_LEVEL=$CMAKE_BUILD_PARALLEL_LEVEL
# For the builds that tests make of their own, too: with the same flags the compiler cache has their objects already.
export Q3G_WERROR=ON
passed=0 failed=0 skipped=0

skip() {
  skipped=$((skipped + 1))
  echo "skipped: $*"
}

# counted <log name> <command...>: adds what ctest says at its end to the counts. A command that fails with no failed test,
# or runs none, counts as one: the build, or ctest itself, failed.
counted() {
  local log=$logs/$1.log status=0 p f s folder
  shift
  "$@" > "$log" 2>&1 < /dev/null || status=$?
  read -r p f s < <(awk '
    /^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+$/ { f = $4; p = $NF - $4; s = 0 }
    /^\t *[0-9]+ - .* \(Skipped\)/ { ++s; --p }
    /^\t *[0-9]+ - .* \(Disabled\)/ { ++s }
    END { print p + 0, f + 0, s + 0 }' "$log")
  if ((f == 0 && (status || p + s == 0))); then f=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  folder=$(sed -n 's/^Test project //p' "$log" | tail -n 1)
  # Why tests skipped, and which parts of them did.
  grep -hE '^(q3g-)?skipped: ' "$folder/Testing/Temporary/LastTest.log" 2> /dev/null | sort -u || true
  if ((f)); then
    tail -n 100 "$log"
    echo "(whole output: $log)"
  fi
}

run_stage() {
  local program isa cpu available
  for program in ${needs[$1]-}; do
    command -v "$program" > /dev/null || { skip "no $program" && return; }
  done
  case $1 in
    package | small | dropin) # what fails here says so below
      scripts/fetch_sources.sh > $logs/sources.log 2>&1 || { skip "the sources of the bundled libraries: $(tail -n 1 $logs/sources.log)" && return; }
      ;;
    python)
      scripts/make_venv.sh > /dev/null || skip "the packages of tests/tools/requirements.txt cannot be installed"
      Q3G_TORCH_PYTHON=$(scripts/make_venv.sh --torch) || skip "PyTorch and transformers cannot be installed"
      export Q3G_TORCH_PYTHON
      ;;
  esac
  counted "$1" cmake --workflow --preset "$1"
  # The same tests again: with an instruction set that this CPU has and would not choose, on CPUs that lack some.
  case $1 in
    isa)
      available=$(build/gcc/bin/qwen3guard info --model nano-gen --json | sed 's/.*"isa_available":\["[^"]*"\([^]]*\)\].*/\1/') || return
      for isa in avx2 avx512vnni; do
        if [[ $available == *"\"$isa\""* ]]; then counted "isa_$isa" ctest --preset "isa-$isa"; fi
      done
      ;;
    dropin)
      if command -v clang++ > /dev/null; then counted dropin_clang cmake --workflow --preset dropin-clang; else skip "no clang++"; fi
      ;;
    arm)
      for cpu in cortex-a57 neoverse-n1; do
        if grep -qw "$cpu" <<< "$(qemu-aarch64 -cpu help)"; then
          counted "arm_$cpu" ctest --preset "aarch64-$cpu"
        else
          skip "this qemu has no $cpu"
        fi
      done
      ;;
  esac
}

headline "Set-up"
scripts/set_up.sh --dev
mkdir -p $logs
logged $logs/fetch_test_data.log scripts/fetch_test_data.sh || echo "Tests that need the fetched data will skip."

table=$(printf '%-10s %8s %8s %8s %8s' stage passed failed skipped seconds)
totals=(0 0 0)
for stage in "${chosen[@]}"; do
  headline "$stage"
  passed=0 failed=0 skipped=0 start=$SECONDS
  run_stage "$stage" || failed=$((failed + 1))
  row=$(printf '%-10s %8d %8d %8d %8d' "$stage" $passed $failed $skipped $((SECONDS - start)))
  echo "$row"
  table+=$'\n'$row
  totals=($((totals[0] + passed)) $((totals[1] + failed)) $((totals[2] + skipped)))
done
headline "Summary"
printf '%s\n\n' "$table"
echo "${totals[0]} passed, ${totals[1]} failed, ${totals[2]} skipped"
((totals[1] == 0))
