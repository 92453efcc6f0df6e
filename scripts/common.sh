# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of this folder, after `set -euo pipefail`. Changes to the project's top folder.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
export HOME

# Objects are kept between builds and shared by checkouts in different folders.
: "${CCACHE_BASEDIR:=$PWD}" "${CCACHE_NOHASHDIR:=1}" "${CCACHE_MAXSIZE:=3G}"
export CCACHE_BASEDIR CCACHE_NOHASHDIR CCACHE_MAXSIZE
if [[ -z ${CMAKE_GENERATOR:-} ]] && command -v ninja > /dev/null; then
  export CMAKE_GENERATOR=Ninja
fi

# As many jobs as cores, but 2 GiB of memory each.
job_count() {
  local cores gib
  cores=$(nproc 2> /dev/null || getconf _NPROCESSORS_ONLN)
  gib=$(awk '/^MemTotal/ { print int($2 / 1048576) }' /proc/meminfo 2> /dev/null || echo 8)
  local limit=$(((${gib:-8} + 1) / 2))
  ((limit >= 1)) || limit=1
  echo $((cores < limit ? cores : limit))
}

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' red='' plain=''
fi

headline() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }

# logged <log> <command...>: keeps the output in the log; shows its end when the command fails.
logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if "$@" > "$log" 2>&1 < /dev/null; then return 0; fi
  local command="$*"
  printf '%sfailed:%s %s\n' "$red" "$plain" "${command:0:200}"
  tail -n 60 "$log"
  printf '(whole output: %s)\n' "$log"
  return 1
}
