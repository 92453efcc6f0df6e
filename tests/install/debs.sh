#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# debs.sh <build folder>: makes the Debian packages there; what dpkg and lintian say of them, and a C program against what
# they hold. Exit code 77: no dpkg.
set -euo pipefail
command -v dpkg > /dev/null || { echo "skipped: no dpkg" && exit 77; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$1"
rm -f ./*.deb
cpack -G DEB
root=$PWD/debs
libraries=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
rm -rf "$root" && mkdir -p "$root"/var/lib/dpkg/{info,updates} && touch "$root/var/lib/dpkg/status"
# As three packages of one system: two that bring the same file fail here.
dpkg --root="$root" --force-depends --force-not-root --unpack ./*.deb
for deb in libqwen3guard-c1 libqwen3guard-dev qwen3guard; do
  [[ -s $root/usr/share/doc/$deb/copyright ]] || { echo "$deb has no copyright file" && exit 1; }
done
if command -v lintian > /dev/null; then
  # docs/packages.md says why these stay.
  lintian --allow-root --fail-on error,warning --suppress-tags no-changelog,maintscript-calls-ldconfig ./*.deb
else
  echo "skipped: no lintian"
fi
read -r -a flags <<< "$(PKG_CONFIG_LIBDIR=$libraries/pkgconfig pkg-config --cflags --libs qwen3guard_c)"
gcc -std=c11 "$here/c_consumer/main.c" "${flags[@]}" -o "$root/consumer"
LD_LIBRARY_PATH=$libraries "$root/consumer" ON
"$root/usr/bin/qwen3guard" info --model nano-gen > /dev/null
