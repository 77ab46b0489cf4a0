#!/usr/bin/env bash
# Whether this machine can run the cluster; where it cannot, says why in a line and exits 1:
# `check.sh [--control-plane]`.
set -uo pipefail
. "$(dirname "$0")/env.sh"

cannot() {
  echo "$*"
  exit 1
}

for program in k8snode kubectl; do
  [ -x "$BIN/$program" ] || cannot "$program is not built: run 'make cluster-tools' (needs Go 1.26)"
done
command -v openssl >/dev/null || cannot "openssl is missing"
[ "${1:-}" = --control-plane ] && exit 0

[ "$(uname -s)" = Linux ] || cannot "a node needs Linux"
[ "$(id -u)" = 0 ] || cannot "a node needs root, for its namespaces, mounts and network"
for program in containerd runc iptables conntrack socat nsenter; do
  command -v $program >/dev/null || cannot "$program is missing: run scripts/system.sh"
done
[ -x /usr/lib/cni/bridge ] || cannot "the CNI plugins are missing: run scripts/system.sh"
[ -d /sys/fs/cgroup/memory ] || cannot "a node here needs cgroup v1"
unshare --mount --net --cgroup --pid --uts --ipc --fork true 2>/dev/null ||
  cannot "namespaces are not permitted here"
for image in pause coredns; do
  [ -f "$IMAGES/$image.tar" ] || cannot "the image '$image' is not built: run 'make cluster-tools'"
done
