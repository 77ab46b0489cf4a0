#!/usr/bin/env bash
# The control plane alone, on loopback ports of this machine, in a process group of its own:
# `control-plane-init.sh API_PORT ETCD_PORT PEER_PORT`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$HERE/control-plane.sh"
control_plane "$1" "$2" "$3" --bind-address 127.0.0.1 --endpoint-reconciler-type none
wait -n || true
echo "a part of the control plane ended; its log is in $LOG"
kill 0
