#!/usr/bin/env bash
# Runs a command on the node, inside its namespaces: `in.sh ctr -n k8s.io images ls`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
export KUBECONFIG=$RUN/pki/admin.kubeconfig
exec nsenter -t "$(cat "$RUN/pid")" -m -n -p -C -u -i --wd="$PWD" "$@"
