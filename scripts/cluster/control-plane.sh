# Starts etcd, the API server, the controllers and the scheduler as children of the shell that
# sources this: `control_plane API_PORT ETCD_PORT PEER_PORT [flags of the API server]`.
# etcd does not fsync: what a test cluster holds may be lost with the machine.
K8S=$BIN/k8snode
PKI=$RUN/pki
LOG=$RUN/log

control_plane() {
  local api=$1 etcd=http://127.0.0.1:$2 peer=http://127.0.0.1:$3
  shift 3
  mkdir -p "$LOG"
  cat >"$RUN/audit.yaml" <<A
# What service accounts ask for, by which tests know what rights they need.
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts:argus-system"]}
- {level: None}
A
  "$K8S" etcd --name $NODE --data-dir "$RUN/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
    --initial-cluster "$NODE=$peer" >"$LOG/etcd.log" 2>&1 &
  api_server "$api" "$etcd" "$@" &
  # On a busy machine these give up before the API server is healthy.
  again "$K8S" controllers --kubeconfig "$PKI/controllers.kubeconfig" --leader-elect=false --secure-port 0 \
    --root-ca-file "$PKI/ca.crt" --service-account-private-key-file "$PKI/sa.key" \
    --use-service-account-credentials --cluster-signing-cert-file "$PKI/ca.crt" \
    --cluster-signing-key-file "$PKI/ca.key" --allocate-node-cidrs --cluster-cidr 10.244.0.0/16 \
    --service-cluster-ip-range $SVC_CIDR >>"$LOG/controllers.log" 2>&1 &
  again "$K8S" scheduler --kubeconfig "$PKI/scheduler.kubeconfig" --leader-elect=false --secure-port 0 \
    >>"$LOG/scheduler.log" 2>&1 &
}

# Begins a command anew whenever it ends.
again() { # command
  while :; do
    "$@" || true
    sleep 0.2
  done
}

# The API server, started anew when it ends, unless api.sh holds it down.
api_server() { # port etcd [flags]
  local port=$1 etcd=$2
  shift 2
  while :; do
    if [ ! -e "$RUN/apiserver.down" ]; then
      "$K8S" apiserver --etcd-servers "$etcd" --secure-port "$port" \
        --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" \
        --client-ca-file "$PKI/ca.crt" --kubelet-certificate-authority "$PKI/ca.crt" \
        --kubelet-client-certificate "$PKI/apiserver-kubelet.crt" \
        --kubelet-client-key "$PKI/apiserver-kubelet.key" \
        --kubelet-preferred-address-types InternalIP \
        --requestheader-client-ca-file "$PKI/ca.crt" \
        --requestheader-allowed-names front-proxy-client \
        --requestheader-username-headers X-Remote-User \
        --requestheader-group-headers X-Remote-Group \
        --requestheader-extra-headers-prefix X-Remote-Extra- \
        --proxy-client-cert-file "$PKI/front-proxy.crt" \
        --proxy-client-key-file "$PKI/front-proxy.key" \
        --service-account-key-file "$PKI/sa.pub" \
        --service-account-signing-key-file "$PKI/sa.key" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
        --audit-policy-file "$RUN/audit.yaml" --audit-log-path "$LOG/audit.log" \
        --service-cluster-ip-range $SVC_CIDR --allow-privileged=true "$@" \
        >>"$LOG/apiserver.log" 2>&1 || true
    fi
    sleep 0.2
  done
}
