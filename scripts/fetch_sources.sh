#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the sources of the libraries that Q3G_BUNDLE_DEPENDENCIES and Q3G_STATIC_PROGRAM build in, as Debian and Ubuntu publish them, to
# build/sources, and prints the CMake options that make the build use them. For machines that reach a package mirror
# but not the public repositories, from which CMake would fetch them otherwise. Does nothing when they are there; when
# it fails it leaves nothing that a later run takes for them.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=$PWD/build/sources
part=$folder.part # takes the folder's name when all is there
log=$PWD/build/logs/fetch_sources.log
names=(re2 utf8proc simdjson prometheus-cpp)

fail() {
  echo "scripts/fetch_sources.sh: $*" >&2
  exit 1
}

is_complete() {
  local name
  [[ -f $folder/complete ]] || return 1
  for name in "${names[@]}"; do
    [[ -d $folder/$name ]] || return 1
  done
}

# Package lists of its own: the machine's are left as they are, and need not name sources.
download() {
  local state=$part/apt
  mkdir -p "$state/lists/partial" "$state/parts"
  sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/{debian,ubuntu}.sources > "$state/parts/sources.sources" || true
  if [[ ! -s $state/parts/sources.sources ]]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > "$state/parts/sources.list"
  fi
  local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$state/parts" -o "Dir::State::lists=$state/lists"
    -o APT::Sandbox::User=root -o Acquire::Retries=3)
  apt-get "${options[@]}" update
  cd "$state"
  apt-get "${options[@]}" source --download-only "${names[@]}"
}

unpack() {
  local name archives
  for name in "${names[@]}"; do
    archives=("$part/apt/${name}"_*.orig.tar.*[^c]) # not the signature, .asc
    [[ -f ${archives[0]} ]] || {
      echo "apt-get brought no ${name}_*.orig.tar.*"
      return 1
    }
    mkdir "$part/$name"
    tar -xf "${archives[0]}" --strip-components=1 -C "$part/$name"
  done
}

# Debian's RE2 is without the tables that are made by programs: they are made here, from the package unicode-data.
make_tables() {
  local table re2=$part/re2/re2
  sed -i -e 's|^_UNICODE_DIR = .*|_UNICODE_DIR = "/usr/share/unicode"|' -e 's/^from six.moves import urllib/import urllib.request/' \
    "$re2/unicode.py"
  perl "$re2/make_perl_groups.pl" > "$re2/perl_groups.cc"
  for table in casefold groups; do
    PYTHONDONTWRITEBYTECODE=1 python3 "$re2/make_unicode_$table.py" > "$re2/unicode_$table.cc"
  done
}

report() {
  local status=$?
  ((status)) || return 0
  exec 2>&3
  tail -n 20 "$log" >&2
  fail "the sources of ${names[*]} were not brought (whole output: $log); the next run begins anew"
}

for program in apt-get perl python3; do
  command -v $program > /dev/null || fail "needs $program"
done
mkdir -p "$(dirname "$log")"
exec 9> "$folder.lock" # one at a time
flock 9
if ! is_complete; then
  [[ -d /usr/share/unicode ]] || fail "needs the Unicode tables; on Debian: apt-get install unicode-data"
  rm -rf "$folder" "$part"
  mkdir "$part"
  exec 3>&2 # the log has the other one when something fails
  trap report EXIT
  # Not in a condition, which would make the shell go on after an error in it.
  {
    (download)
    unpack
    make_tables
    touch "$part/complete"
    mv "$part" "$folder"
  } > "$log" 2>&1
  trap - EXIT
fi
for name in "${names[@]}"; do
  echo "-DFETCHCONTENT_SOURCE_DIR_${name^^}=$folder/$name"
done
