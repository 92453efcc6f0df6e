#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tests/page/run_tests.sh PROGRAM: tests the page that `PROGRAM serve` shows: its pure parts in Node, the rest in headless
# Chromium, all in one process. The tests start and stop their servers themselves. Exit code 77 where something that they
# need is missing. Q3G_SCREENSHOTS=1 writes pictures of the page to build/page_screenshots. Node's packages are kept outside
# the checkout, one folder for each lock file.
set -eu

program=$(realpath "${1:?usage: tests/page/run_tests.sh PROGRAM}")
here=$(cd "$(dirname "$0")" && pwd)

skip() {
  echo "q3g-skipped: no $1"
  exit 77
}

command -v node > /dev/null || skip node
# The first of 20 and of 22 that see by a file's syntax that it is a module: the page's are, and have no package.json.
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 7) || (a === 20 && b >= 19) ? 0 : 1)' ||
  skip "node 20.19 or 22.7"
command -v npm > /dev/null || skip npm
chromium=$(command -v chromium || command -v chromium-browser) || skip chromium

lock=$(sha256sum "$here/package-lock.json" | cut -c1-16)
packages=${XDG_CACHE_HOME:-$HOME/.cache}/qwen3guard/page_tests/$lock
if [ ! -e "$packages/complete" ]; then
  mkdir -p "$packages"
  cp "$here/package.json" "$here/package-lock.json" "$packages"
  if ! (cd "$packages" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --ignore-scripts); then
    npm ping --fetch-retries=0 > /dev/null 2>&1 || skip "npm registry"
    exit 1
  fi
  touch "$packages/complete"
fi

cd "$here/../.."
export Q3G_PROGRAM="$program" Q3G_CHROMIUM="$chromium" Q3G_NODE_PACKAGES="$packages"
exec node --test-reporter=spec "$here/all_tests.js"
