#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what a build needs and this machine lacks; with --dev also what the tests and checks need.
# Debian and Ubuntu: by apt-get, with sudo where not root. Elsewhere: names what is missing. Asks nothing, and does
# nothing when all is there.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() { echo "usage: scripts/set_up.sh [--dev]"; }
dev=false
for argument in "$@"; do
  case $argument in
    --dev) dev=true ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

libraries=(libeigen3-dev libre2-dev libutf8proc-dev libsimdjson-dev libxxhash-dev libcli11-dev)
# Without these the program has no `serve`.
libraries+=(libboost-dev libssl-dev prometheus-cpp-dev)
# command:package
# CMake makes files for make unless it is told otherwise; the scripts here tell it to use Ninja.
programs=(g++:g++ cmake:cmake make:make ninja:ninja-build ccache:ccache pkg-config:pkg-config)
if $dev; then
  libraries+=(catch2 libbenchmark-dev libomp-dev unicode-data dpkg-dev locales)
  libraries+=(libmono-system-net-http4.0-cil libmono-system-runtime-serialization4.0-cil)
  programs+=(git:git clang++:clang clang-tidy:clang-tidy clang-format:clang-format python3:python3 npm:npm shellcheck:shellcheck)
  programs+=(abidiff:abigail-tools doxygen:doxygen lintian:lintian perl:perl mcs:mono-mcs mono:mono-runtime)
  programs+=(curl:curl openssl:openssl chromium:chromium)
  programs+=(podman:podman crun:crun systemd-analyze:systemd)
  programs+=(aarch64-linux-gnu-g++:g++-aarch64-linux-gnu qemu-aarch64:qemu-user)
fi

missing=()
for entry in "${programs[@]}"; do
  command -v "${entry%%:*}" > /dev/null || missing+=("${entry##*:}")
done

if ! command -v apt-get > /dev/null; then
  if ((${#missing[@]})); then
    echo "This script installs packages on Debian and Ubuntu only. Please install, by whatever name they have here:"
    printf '  %s\n' "${missing[@]}" "${libraries[@]}"
    exit 1
  fi
  echo "No apt-get here: libraries that are not installed will be fetched by CMake (Debian's names: ${libraries[*]})."
  exit 0
fi

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null) == installed ]]; }
for package in "${libraries[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if $dev; then
  python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
  # The run-time part of Clang's sanitizers has the compiler's version in its name.
  if clang_version=$(clang++ -dumpversion 2> /dev/null); then
    is_installed "libclang-rt-${clang_version%%.*}-dev" || missing+=("libclang-rt-${clang_version%%.*}-dev")
  elif [[ $(apt-cache policy clang 2> /dev/null) =~ Candidate:\ [0-9]+:([0-9]+) ]]; then
    missing+=("libclang-rt-${BASH_REMATCH[1]}-dev")
  else
    missing+=(libclang-rt-14-dev)
  fi
fi
((${#missing[@]})) || exit 0

as_root=()
if (($(id -u) != 0)); then
  if ! command -v sudo > /dev/null; then
    echo "Missing, and neither root nor sudo to install it. As root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
echo "Installing ${#missing[@]} packages: ${missing[*]}"
mkdir -p build/logs
if ! logged build/logs/apt_update.log apt update; then
  echo "The package lists could not be renewed; trying with those there are."
fi
logged build/logs/apt_install.log apt install --no-install-recommends "${missing[@]}"
