#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, then runs every test and check. A stage that fails does not stop the later ones.
#   scripts/test.sh                   everything
#   scripts/test.sh --quick           the GCC build and its tests
#   scripts/test.sh --only a,b,...    these stages
# Logs are kept in build/logs. The last line is "N passed, N failed, N skipped".
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all_stages=(format rules gcc isa arm install bindings package docs clang asan tsan tidy python)
usage() {
  echo "usage: scripts/test.sh [--quick | --only STAGE[,STAGE...]]"
  echo "stages: ${all_stages[*]}"
}
stages=("${all_stages[@]}")
while (($#)); do
  case $1 in
    --quick) stages=(gcc) ;;
    --only)
      IFS=, read -r -a stages <<< "${2:-}"
      shift
      ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
((${#stages[@]})) || { usage >&2 && exit 2; }
for stage in "${stages[@]}"; do
  [[ " ${all_stages[*]} " == *" $stage "* ]] || { usage >&2 && exit 2; }
done

logs=build/logs
jobs=$(job_count)
passed=0 failed=0 skipped=0

pass() { passed=$((passed + ${1:-1})); }
fail() { failed=$((failed + ${1:-1})); }
skip() {
  skipped=$((skipped + 1))
  echo "skipped: $*"
}

# configure <build folder> <preset> [option...]
configure() {
  local folder=$1 preset=$2
  shift 2
  logged "$logs/configure_${folder##*/}.log" cmake --preset "$preset" -B "$folder" "$@"
}

build() { logged "$logs/build_${1##*/}.log" cmake --build "$1" --parallel "$jobs"; }

# run_ctest <log name> <build folder> [ctest option...]: adds its tests to the counts.
run_ctest() {
  local name=$1 folder=$2
  shift 2
  local report=$PWD/$logs/$name.xml log=$logs/$name.log
  rm -f "$report"
  ctest --test-dir "$folder" --parallel "$jobs" --output-on-failure --no-tests=error --output-junit "$report" "$@" \
    > "$log" 2>&1 < /dev/null || true
  local tests failures skips
  tests=$(junit_count "$report" tests) failures=$(junit_count "$report" failures)
  skips=$(($(junit_count "$report" skipped) + $(junit_count "$report" disabled)))
  if ((tests == 0)); then
    tail -n 20 "$log"
    fail
    return
  fi
  pass $((tests - failures - skips))
  fail "$failures"
  skipped=$((skipped + skips))
  if ((failures)); then
    tail -n 100 "$log"
    echo "(whole output: $log)"
  fi
}

junit_count() { # <report> <attribute>: 0 when there is no report
  local count
  count=$(sed -n "s/^[[:space:]]*$2=\"\([0-9]*\)\".*/\1/p" "$1" 2> /dev/null | head -n 1)
  echo "${count:-0}"
}

source_files() { # tracked and new C and C++ files
  git ls-files --cached --others --exclude-standard -- '*.hpp' '*.h' '*.inl' '*.cc' '*.cpp' '*.c' 2> /dev/null ||
    find . -path ./build -prune -o -name '*.[hc]' -print -o -name '*.[hc]pp' -print -o -name '*.cc' -print \
      -o -name '*.inl' -print
}

stage_format() {
  local files
  mapfile -t files < <(source_files | while read -r file; do [[ -f $file ]] && echo "$file"; done)
  if ! command -v clang-format > /dev/null; then
    skip "no clang-format"
  elif [[ ! $(clang-format --version) =~ version\ 14\. ]]; then
    skip "the layout is that of clang-format 14; here is $(clang-format --version)"
  elif logged $logs/format.log clang-format --dry-run -Werror "${files[@]}"; then
    pass
  else
    fail
  fi
}

# Several stages use this build; one that fails is not tried again.
gcc_build=unknown
build_gcc() {
  if [[ $gcc_build == unknown ]]; then
    gcc_build=bad
    if configure build/test-gcc dev -DQ3G_WERROR=ON && build build/test-gcc; then gcc_build=good; fi
  fi
  [[ $gcc_build == good ]] && return
  echo "the GCC build failed"
  return 1
}

# The rules and the consumer test need no second and third run.
unit_only=(-LE '^(rules|install)$')

stage_gcc() {
  if build_gcc; then run_ctest gcc build/test-gcc "${unit_only[@]}"; else fail; fi
}

stage_clang() {
  if ! command -v clang++ > /dev/null; then
    skip "no clang++"
  elif configure build/test-clang clang -DQ3G_WERROR=ON && build build/test-clang; then
    run_ctest clang build/test-clang "${unit_only[@]}"
  else
    fail
  fi
}

stage_asan() {
  if configure build/test-asan asan && build build/test-asan; then
    ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
      run_ctest asan build/test-asan "${unit_only[@]}"
  else
    fail
  fi
}

# What threads share: the tests that use several. The whole suite under this sanitizer takes an hour.
stage_tsan() {
  local tests=(guard_batch_test guard_stream_batch_test guard_stream_rewind_test tokenizer_property_test
    util_thread_team_test)
  local targets=("${tests[@]}" abi_c11_test) # whose parts lifetime and cancel use threads
  if configure build/test-tsan tsan -DQ3G_BUILD_EXAMPLES=OFF &&
    logged "$logs/build_test-tsan.log" cmake --build build/test-tsan --parallel "$jobs" --target "${targets[@]}"; then
    run_ctest tsan build/test-tsan -R "^($(IFS='|' && echo "${tests[*]}"))/|^capi/abi_c11/(lifetime|cancel)$"
  else
    fail
  fi
}

# The same tests with an instruction set forced that would not be chosen.
stage_isa() {
  local isa
  if ! build_gcc; then
    fail
    return
  fi
  local available
  available=$(build/test-gcc/bin/qwen3guard info --model nano-gen --json | sed 's/.*"isa_available":\[\([^]]*\)\].*/\1/')
  for isa in scalar avx2 avx512vnni; do
    # The first one is chosen anyway.
    if [[ $available != *"\"$isa\""* || $available == "\"$isa\""* ]]; then continue; fi
    echo "QWEN3GUARD_ISA=$isa"
    QWEN3GUARD_ISA=$isa run_ctest "isa_$isa" build/test-gcc -L '^(kernels|tensor|model|guard|embedded)$'
  done
}

# The arithmetic for 64-bit Arm under emulation. The first CPU has every instruction set; the others lack some, so
# that an instruction in the wrong table, or a wrong choice, shows.
stage_arm() {
  local cpu
  if ! command -v aarch64-linux-gnu-g++ > /dev/null || ! command -v qemu-aarch64 > /dev/null; then
    skip "no aarch64-linux-gnu-g++, or no qemu-aarch64"
  elif configure build/test-arm aarch64 -DQ3G_WERROR=ON && build build/test-arm; then
    run_ctest arm build/test-arm
    for cpu in cortex-a57 neoverse-n1; do
      if grep -qw "$cpu" <<< "$(qemu-aarch64 -cpu help)"; then
        QEMU_CPU=$cpu run_ctest "arm_$cpu" build/test-arm -L '^kernels$'
      else
        skip "this qemu has no $cpu"
      fi
    done
  else
    fail
  fi
}

stage_tidy() {
  # Analysing what the standard library does inside takes four fifths of the time and finds nothing of ours.
  local tidy analysis=(-extra-arg=-Xclang -extra-arg=-analyzer-config -extra-arg=-Xclang -extra-arg=c++-stdlib-inlining=false)
  tidy=$(command -v run-clang-tidy || command -v run-clang-tidy-14 || true)
  if [[ -z $tidy ]] || ! command -v clang++ > /dev/null; then
    skip "no run-clang-tidy"
  elif configure build/test-tidy clang -DQ3G_BUILD_TESTS=OFF -DQ3G_BUILD_EXAMPLES=OFF -DCMAKE_UNITY_BUILD=OFF \
    -DCMAKE_C_COMPILER_LAUNCHER= -DCMAKE_CXX_COMPILER_LAUNCHER= &&
    logged $logs/tidy.log "$tidy" -p build/test-tidy -j "$jobs" -quiet "${analysis[@]}" "^$PWD/src/.*\.cc\$"; then
    pass
  else
    fail
  fi
}

stage_rules() {
  if configure build/test-gcc dev -DQ3G_WERROR=ON; then
    run_ctest rules build/test-gcc -L '^rules$'
  else
    fail
  fi
}

stage_install() {
  if build_gcc; then run_ctest install build/test-gcc -L '^install$'; else fail; fi
}

# add_counts <last line of a script>: "N passed, N failed", perhaps with ", N skipped".
add_counts() {
  if [[ $1 =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    pass "${BASH_REMATCH[1]}"
    fail "${BASH_REMATCH[2]}"
    skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
  else
    fail
  fi
}

# Debian's own Rust and Go are older than the bindings take.
is_recent() { # <command>
  local found wanted
  case $1 in
    cargo) wanted=1.74 found=$(cargo --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1) ;;
    go) wanted=1.21 found=$(go env GOVERSION | grep -oE '[0-9]+\.[0-9]+' | head -n 1) ;;
    *) return 0 ;;
  esac
  [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) == "$wanted" ]]
}

# Each binding's own tests against the C library of the GCC build.
stage_bindings() {
  local binding command log
  if ! build_gcc; then
    fail
    return
  fi
  if logged $logs/bindings_in_step.log python3 -B capi/bindings/in_step.py; then pass; else fail; fi
  for binding in rust:cargo go:go csharp:mcs python:python3; do
    command=${binding##*:} binding=${binding%%:*} log=$logs/binding_$binding.log
    if ! command -v "$command" > /dev/null || ! is_recent "$command"; then
      skip "the $binding binding needs $command, and a recent one"
      continue
    fi
    Q3G_TEST_WHEEL=${CI:+1} "capi/bindings/$binding/run_tests.sh" "$PWD/build/test-gcc" > "$log" 2>&1 < /dev/null ||
      tail -n 60 "$log"
    sed -n "s/^skipped: /$binding: skipped: /p" "$log"
    echo "$binding: $(tail -n 1 "$log")"
    add_counts "$(tail -n 1 "$log")"
  done
  log=$logs/readme_commands.log
  python3 -B tests/readme/readme_commands.py "$PWD/build/test-readme" > "$log" 2>&1 || tail -n 60 "$log"
  echo "the README's lines: $(tail -n 1 "$log")"
  add_counts "$(tail -n 1 "$log")"
}

# What is delivered: the library with everything built in, its archive, its size, the packages.
stage_package() {
  local folder=build/test-package size option
  local options=(-DQ3G_BUNDLE_DEPENDENCIES=ON -DQ3G_BUILD_EXAMPLES=OFF -DQ3G_WERROR=ON
    "-DCMAKE_INSTALL_LIBDIR=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)")
  if ! command -v apt-get > /dev/null || ! scripts/fetch_sources.sh > $logs/sources.txt; then
    skip "the sources of the bundled libraries cannot be had"
    return
  fi
  while read -r option; do options+=("$option"); done < $logs/sources.txt
  local targets=(qwen3guard qwen3guard_c qwen3guard_cli)
  if configure $folder dev "${options[@]}" &&
    logged "$logs/build_test-package.log" cmake --build $folder --parallel "$jobs" --target "${targets[@]}" qwen3guard_c_archive; then
    run_ctest package $folder -L '^install$' -E '^install/(add_subdirectory|fetch_content)$'
    rm -f $folder/*.deb
    if (cd $folder && logged "$PWD/../logs/cpack.log" cpack -G DEB) && check_debs $folder; then pass; else fail; fi
  else
    fail
  fi
  # Its size without the models: the aim is less than 3 MB, stripped. Headers to a folder of another name.
  if configure build/test-small release "${options[@]}" -DQ3G_EMBED_MODELS=OFF \
    -DCMAKE_INSTALL_INCLUDEDIR=include/moderation && build build/test-small; then
    strip -o build/test-small/stripped.so build/test-small/capi/libqwen3guard_c.so
    size=$(stat -c %s build/test-small/stripped.so)
    echo "libqwen3guard_c.so, stripped, with all libraries built in, without models: $size bytes"
    if ((size < 3000000)); then pass; else fail; fi
    local way
    for way in find_package c c_static pkg_config pkg_config_cpp; do
      if logged "$logs/headers_elsewhere_$way.log" cmake -D WAY=$way -D "SOURCE_DIR=$PWD" -D "BUILD_DIR=$PWD/build/test-small" \
        -D "WORK_DIR=$PWD/build/test-small/$way" -D CONFIG=Release -D GENERATOR=Ninja -D CXX_COMPILER=c++ -D C_COMPILER=cc \
        -D EMBED_MODELS=OFF -P tests/install/run_consumer.cmake; then
        pass
      else
        fail
      fi
    done
  else
    fail
  fi
  stage_recipes
}

# What dpkg and lintian say of the packages, and a C program against what they hold.
check_debs() { # <build folder>
  local root=$PWD/$1/debs deb libraries flags
  libraries=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
  rm -rf "$root" && mkdir -p "$root"/var/lib/dpkg/{info,updates} && touch "$root/var/lib/dpkg/status"
  # As three packages of one system: two that bring the same file fail here.
  logged $logs/deb_unpack.log dpkg --root="$root" --force-depends --force-not-root --unpack "$1"/*.deb || return 1
  for deb in libqwen3guard-c1 libqwen3guard-dev qwen3guard; do
    [[ -s $root/usr/share/doc/$deb/copyright ]] || { echo "$deb has no copyright file" && return 1; }
  done
  if command -v lintian > /dev/null; then
    # docs/packages.md says why these stay.
    logged $logs/lintian.log lintian --allow-root --fail-on error,warning \
      --suppress-tags no-changelog,maintscript-calls-ldconfig "$1"/*.deb || return 1
  else
    skip "no lintian"
  fi
  read -r -a flags <<< "$(PKG_CONFIG_LIBDIR=$libraries/pkgconfig pkg-config --cflags --libs qwen3guard_c)"
  logged $logs/deb_consumer.log gcc -std=c11 tests/install/c_consumer/main.c "${flags[@]}" -o "$root/consumer" &&
    LD_LIBRARY_PATH=$libraries "$root/consumer" ON && "$root/usr/bin/qwen3guard" info --model nano-gen > /dev/null
}

# The recipes of package managers, as far as they run without their servers: Conan's, with the system's libraries, as a
# static and as a shared library. What can be said of the vcpkg port without vcpkg is the test install/recipes.
stage_recipes() {
  local venv=$PWD/build/conan-venv options
  if [[ ! -x $venv/bin/conan ]] && ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q conan==2.9.2; } > $logs/conan_venv.log 2>&1; then
    skip "Conan cannot be installed"
    return
  fi
  export CONAN_HOME=$PWD/build/conan-home
  logged $logs/conan_profile.log "$venv/bin/conan" profile detect --force || fail
  for options in "" "-o &:shared=True -o &:models=False"; do
    # shellcheck disable=SC2086 # the options are words
    if logged "$logs/conan${options:+_shared}.log" "$venv/bin/conan" create cmake/packages/conan \
      -o '&:system_dependencies=True' $options -s compiler.cppstd=20 -c tools.cmake.cmaketoolchain:generator=Ninja \
      -c "tools.build:jobs=$jobs" -c "tools.cmake.cmake_layout:test_folder=$PWD/build/conan-test"; then
      pass
    else
      fail
    fi
  done
  unset CONAN_HOME
}

stage_docs() {
  if ! command -v doxygen > /dev/null; then
    skip "no doxygen"
  elif logged $logs/docs.log scripts/docs.sh; then
    pass
  else
    fail
  fi
}

# Every test module below examples/ and tests/tools. With the reference packages where they can be had; a test that
# needs one that is missing skips itself.
stage_python() {
  local python=python3 file log count
  if ! command -v python3 > /dev/null; then
    skip "no python3"
    return
  fi
  if ! python=$(scripts/make_venv.sh); then
    skip "the packages of tests/tools/requirements.txt cannot be installed"
    python=$(command -v python3)
  fi
  build_gcc || fail # some run the program
  while read -r file; do
    [[ -f $file ]] || continue
    log=$logs/python_$(basename "$file" .py).log
    (
      export Q3G_CLI=$PWD/build/test-gcc/bin/qwen3guard
      cd "$(dirname "$file")"
      module=$(basename "$file" .py)
      if [[ -e __init__.py ]]; then # a package of tests: they import what lies beside the package
        module=$(basename "$PWD").$module
        cd ..
      fi
      "$python" -B -m unittest -v "$module"
    ) > "$log" 2>&1 < /dev/null || true
    if grep -qE "^ModuleNotFoundError: No module named '(torch|transformers)'" "$log"; then
      skip "$file needs PyTorch, which is for training only"
      continue
    fi
    count=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$log" | tail -n 1)
    if [[ -z $count ]]; then
      echo "$file:" && tail -n 20 "$log"
      fail
      continue
    fi
    count_unittest "$log" "$count" "$file"
  done < <(find examples tests/tools \( -name '*_test.py' -o -name 'test_*.py' \) -not -path '*/.*' | sort)
}

count_unittest() { # <log> <tests> <file>
  local bad skips
  bad=$(sed -n 's/^FAILED (//p' "$1" | grep -oE '(failures|errors|unexpected successes)=[0-9]+' |
    awk -F= '{ n += $2 } END { print n + 0 }' || true)
  skips=$(grep -E '^(OK|FAILED) \(' "$1" | grep -oE 'skipped=[0-9]+' | cut -d= -f2 || true)
  if ((bad)); then
    echo "$3:" && tail -n 40 "$1"
  fi
  ((bad <= $2)) || bad=$2
  pass $(($2 - bad - ${skips:-0}))
  fail "$bad"
  skipped=$((skipped + ${skips:-0}))
}

headline "Set-up"
scripts/set_up.sh --dev
if [[ -x scripts/fetch_test_data.sh ]]; then
  logged $logs/fetch_test_data.log scripts/fetch_test_data.sh || echo "Tests that need the fetched data will skip."
fi

table=$(printf '%-10s %8s %8s %8s %8s' stage passed failed skipped seconds)
total_passed=0 total_failed=0 total_skipped=0
for stage in "${stages[@]}"; do
  headline "$stage"
  passed=0 failed=0 skipped=0
  start=$SECONDS
  "stage_$stage" || { echo "the stage ended early" && fail; }
  echo "$stage: $passed passed, $failed failed, $skipped skipped in $((SECONDS - start)) s"
  table+=$'\n'$(printf '%-10s %8d %8d %8d %8d' "$stage" $passed $failed $skipped $((SECONDS - start)))
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
done

headline "Summary"
printf '%s\n\n' "$table"
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
((total_failed == 0))
