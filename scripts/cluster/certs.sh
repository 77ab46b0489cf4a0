#!/usr/bin/env bash
# Makes the cluster's CA, certificates, service account key and kubeconfigs in $RUN/pki:
# `certs.sh API_PORT HOST_PORT`, the API server's port where it runs, and as this machine sees it.
set -euo pipefail
. "$(dirname "$0")/env.sh"
mkdir -p "$RUN/pki"
cd "$RUN/pki"
[ -f host.kubeconfig ] && exit 0

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

cert() { # name subject [alternative names]
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out "$1.crt" -extfile <(
      echo 'keyUsage=critical,digitalSignature,keyEncipherment'
      echo 'extendedKeyUsage=serverAuth,clientAuth'
      [ -z "${3:-}" ] || echo "subjectAltName=$3"
    ) 2>/dev/null
}

kubeconfig() { # file certificate port
  cat >"$1.kubeconfig" <<K
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$3", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: test, user: {client-certificate-data: $(base64 -w0 "$2.crt"), client-key-data: $(base64 -w0 "$2.key")}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
K
}

key ca
openssl req -x509 -new -key ca.key -days 3650 -subj /CN=argus-test-ca -out ca.crt \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
names=DNS:localhost
for name in kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local; do
  names+=",DNS:$name"
done
cert apiserver /CN=kube-apiserver "IP:127.0.0.1,IP:$NODE_IP,IP:10.96.0.1,$names"
cert apiserver-kubelet /O=system:masters/CN=apiserver-kubelet-client
cert kubelet-server "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_IP,IP:127.0.0.1"
cert front-proxy /CN=front-proxy-client
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
while read -r name subject; do
  cert "$name" "$subject"
  kubeconfig "$name" "$name" "$1"
done <<U
admin       /O=system:masters/CN=admin
controllers /CN=system:kube-controller-manager
scheduler   /CN=system:kube-scheduler
proxy       /CN=system:kube-proxy
kubelet     /O=system:nodes/CN=system:node:$NODE
U
kubeconfig host admin "$2"
