# Writes the configuration of the node's parts into $RUN; sourced by node-init.sh.

# Every container finds this machine's Python packages at /opt/packages, read-only. Images of worker
# and predictor may then leave theirs out, which are gigabytes. With ARGUS_CLUSTER_LIVE set, this
# working copy's code lies over the images' own: a change needs no new image, only a new pod.
runtime_spec() {
  ctr oci spec | python3 -c '
import json, pathlib, sys
packages, root, live = sys.argv[1:]
mounts = {"/opt/packages": packages}
if live:
    rooms = [p for of in ("models", "operator", "services") for p in pathlib.Path(root, of).glob("argus_*")]
    mounts |= {f"/opt/code/{p.name}": str(p) for p in rooms}
spec = json.load(sys.stdin)
for inner, outer in mounts.items():
    mount = {"destination": inner, "type": "bind", "source": outer, "options": ["rbind", "ro"]}
    spec["mounts"].append(mount)
json.dump(spec, sys.stdout)' "$(cat "$BASE/packages")" "$ROOT" "${ARGUS_CLUSTER_LIVE:-}" >"$RUN/runtime.json"
}

node_config() {
  runtime_spec
  cat >"$RUN/cni/10-bridge.conflist" <<C
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_CIDR"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
C

  # restrict_oom_score_adj: without CAP_SYS_RESOURCE no process may be made safer than its parent.
  cat >"$RUN/containerd.toml" <<C
version = 2
root = "$RUN/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      base_runtime_spec = "$RUN/runtime.json"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
C

  cat >"$RUN/kubelet.yaml" <<C
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
featureGates: {KubeletInUserNamespace: true}
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "$PKI/ca.crt"}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet-server.crt
tlsPrivateKeyFile: $PKI/kubelet-server.key
clusterDomain: cluster.local
clusterDNS: [$DNS_IP]
resolvConf: $RUN/resolv.empty
failSwapOn: false
oomScoreAdj: 0
evictionHard: {memory.available: "100Mi", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 24h
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
shutdownGracePeriod: 0s
C

  # conntrack: zeros leave the machine's own limits as they are.
  cat >"$RUN/proxy.yaml" <<C
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $PKI/proxy.kubeconfig}
clusterCIDR: $POD_CIDR
hostnameOverride: $NODE
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
oomScoreAdj: 0
featureGates: {KubeletInUserNamespace: true}
C
}
