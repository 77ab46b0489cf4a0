#!/usr/bin/env bash
# Process 1 of the node, in its own mount, network, cgroup, PID, UTS and IPC namespaces (node-up.sh):
# what it mounts, routes or filters is seen by nobody outside.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$HERE/control-plane.sh"
. "$HERE/node-config.sh"

mounts() {
  mount --make-rshared /
  mkdir -p "$RUN"/{kubelet,containerd,etcd,varlog,cni,varlibcni,sysctl,log}
  mount -t sysfs sysfs /sys
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir /sys/fs/cgroup/$controller
    mount -t cgroup -o $controller cgroup /sys/fs/cgroup/$controller
  done
  mkdir /sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
  mount -t tmpfs -o mode=755 tmpfs /run
  # Some of the kubelet's paths are fixed.
  mkdir -p /var/lib/cni /var/lib/kubelet /etc/cni/net.d
  mount --bind "$RUN/varlog" /var/log
  mount --bind "$RUN/kubelet" /var/lib/kubelet
  mount --bind "$RUN/varlibcni" /var/lib/cni
  mount --bind "$RUN/cni" /etc/cni/net.d
}

# The kubelet and kube-proxy insist on setting the machine's own numbers; here they find files that
# already say what they want, over a read-only /proc/sys/{kernel,vm}.
numbers() {
  for folder in kernel vm; do
    mount --bind /proc/sys/$folder /proc/sys/$folder
    mount -o remount,ro,bind /proc/sys/$folder
  done
  while read -r name value; do
    echo "$value" >"$RUN/sysctl/${name//\//.}"
    mount --bind "$RUN/sysctl/${name//\//.}" "/proc/sys/$name"
  done <<S
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
S
}

names() {
  hostname $NODE
  printf '127.0.0.1 localhost\n%s %s\n' $NODE_IP $NODE >"$RUN/hosts"
  mount --bind "$RUN/hosts" /etc/hosts
  echo "nameserver $DNS_IP" >"$RUN/resolv.conf"
  : >"$RUN/resolv.empty" # what pods inherit: no upstream
  mount --bind "$RUN/resolv.conf" /etc/resolv.conf
}

# Only service addresses get a route (kube-proxy rewrites them before it matters); anything else
# outside fails at once.
network() {
  ip link set lo up
  ip link add up0 type veth peer name up1
  ip addr add $NODE_IP/24 dev up0
  ip link set up0 up
  ip link set up1 up
  ip route add $SVC_CIDR dev up0
  ip route add unreachable default
  sysctl -qw net.ipv4.ip_forward=1
  ip link add probe type bridge # makes net.bridge appear
  ip link del probe
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true
}

# As systemd would: the kubelet gives up where containerd is not ready yet.
agents() {
  containerd --config "$RUN/containerd.toml" >"$LOG/containerd.log" 2>&1 &
  again "$K8S" kubelet --config "$RUN/kubelet.yaml" --kubeconfig "$PKI/kubelet.kubeconfig" \
    --root-dir "$RUN/kubelet" --hostname-override $NODE --node-ip $NODE_IP >"$LOG/kubelet.log" 2>&1 &
  again "$K8S" proxy --config "$RUN/proxy.yaml" >"$LOG/proxy.log" 2>&1 &
}

mounts
numbers
names
network
node_config
control_plane $API_PORT $ETCD_PORT $PEER_PORT --bind-address 0.0.0.0 --advertise-address $NODE_IP
agents
trap 'exit 0' TERM
wait -n || true
echo "a part of the node ended; the logs are in $LOG"
exit 1
