#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes an image of the static program, without a base image and without a network.
#   build.sh [--context-only] [IMAGE [PROGRAM]]    default: qwen3guard build/static/bin/qwen3guard
# ENGINE: podman (default), buildah or docker. CERTIFICATES: the authorities to trust, one PEM file; default: the system's.
# --context-only: fills build/image and leaves the building to others.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
top=$(realpath "$here/../../..")
context_only=false
if [[ ${1:-} == --context-only ]]; then
  context_only=true
  shift
fi
image=${1:-qwen3guard} program=$(realpath "${2:-$top/build/static/bin/qwen3guard}")
engine=${ENGINE:-podman} certificates=${CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}
context=$top/build/image

rm -rf "$context"
mkdir -p "$context/root/etc/ssl/certs" "$context/root/licenses"
install -m 755 "$program" "$context/root/qwen3guard"
if [[ -f $certificates ]]; then
  install -m 644 "$certificates" "$context/root/etc/ssl/certs/ca-certificates.crt"
else
  echo "no $certificates: the image has no authorities, and an https upstream needs --upstream-ca-file" >&2
fi
# The licences of what is in the program, where Debian has them.
install -m 644 "$top/LICENSE" "$top/NOTICE" "$context/root/licenses/"
for package in libc6 libstdc++6 libssl3 libboost-dev prometheus-cpp-dev libre2-dev libutf8proc-dev libsimdjson-dev libxxhash-dev \
  libeigen3-dev libcli11-dev; do
  [[ -f /usr/share/doc/$package/copyright ]] || continue
  install -m 644 "/usr/share/doc/$package/copyright" "$context/root/licenses/$package"
done
$context_only || "$engine" build --tag "$image" --file "$here/Containerfile" "$context"
