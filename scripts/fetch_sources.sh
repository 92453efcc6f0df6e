#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the sources of the libraries that Q3G_BUNDLE_DEPENDENCIES builds in, as Debian and Ubuntu publish them, to
# build/sources, and prints the CMake options that make the build use them. For machines that reach a package mirror
# but not the public repositories, from which CMake would fetch them otherwise. Does nothing when they are there.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=$PWD/build/sources
names=(re2 utf8proc simdjson)
state=$folder/apt
fetch() {
  # Package lists of its own: the machine's are left as they are, and need not name sources.
  mkdir -p "$state/lists/partial" "$state/parts"
  sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/{debian,ubuntu}.sources > "$state/parts/sources.sources" \
    2> /dev/null || true
  if [[ ! -s $state/parts/sources.sources ]]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > "$state/parts/sources.list"
  fi
  local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$state/parts" -o "Dir::State::lists=$state/lists"
    -o APT::Sandbox::User=root -o Acquire::Retries=3)
  apt-get "${options[@]}" update
  (cd "$state" && apt-get "${options[@]}" source --download-only "${names[@]}")
  local name archive
  for name in "${names[@]}"; do
    archive=$(find "$state" -maxdepth 1 -name "${name}_*.orig.tar.*" -not -name '*.asc' | head -n 1)
    mkdir -p "$folder/$name.part"
    tar -xf "$archive" --strip-components=1 -C "$folder/$name.part"
    if [[ $name == re2 ]]; then make_tables "$folder/$name.part"; fi
    mv "$folder/$name.part" "$folder/$name"
  done
}
# Debian's RE2 is without the tables that are made by programs: they are made here, from the package unicode-data.
make_tables() {
  local table
  sed -i -e 's|^_UNICODE_DIR = .*|_UNICODE_DIR = "/usr/share/unicode"|' -e 's/^from six.moves import urllib/import urllib.request/' \
    "$1/re2/unicode.py"
  perl "$1/re2/make_perl_groups.pl" > "$1/re2/perl_groups.cc"
  for table in casefold groups; do
    PYTHONDONTWRITEBYTECODE=1 python3 "$1/re2/make_unicode_$table.py" > "$1/re2/unicode_$table.cc"
  done
}
for name in "${names[@]}"; do
  if [[ ! -d $folder/$name ]]; then
    rm -rf "$folder"
    logged "$PWD/build/logs/fetch_sources.log" fetch >&2
    break
  fi
done
for name in "${names[@]}"; do
  echo "-DFETCHCONTENT_SOURCE_DIR_${name^^}=$folder/$name"
done
