#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds what checks the Helm chart, in pinned versions, from Go's module proxy, and prints the folder with the programs: helm,
# and decode (tests/deployment/decode). Kept outside the checkout: minutes for the first time, nothing later. Exit code 1: no
# Go, an old one that cannot fetch a newer one, or no network.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
version=v3.19.5
sources=tests/deployment/decode
command -v go > /dev/null || exit 1
folder=${XDG_CACHE_HOME:-$HOME/.cache}/qwen3guard/helm/$version-$(cat $sources/* | sha256sum | cut -c1-16)
if [[ ! -e $folder/complete ]]; then
  # Without the version that its linker would be given, helm takes Kubernetes for an old one; --kube-version says which.
  logged build/logs/helm.log env GOBIN="$folder" GOFLAGS=-trimpath CGO_ENABLED=0 go install -ldflags=-s "helm.sh/helm/v3/cmd/helm@$version" >&2
  logged build/logs/decode.log env GOFLAGS=-trimpath CGO_ENABLED=0 go build -C $sources -ldflags=-s -o "$folder/decode" . >&2
  touch "$folder/complete"
fi
echo "$folder"
