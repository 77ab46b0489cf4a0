#!/usr/bin/env bash
# Loads image archives into the node: `load.sh FILE.tar ...`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
for archive in "$@"; do
  "$HERE/in.sh" ctr -n k8s.io images import --digests=false "$(realpath "$archive")"
done
