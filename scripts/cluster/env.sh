# Where everything of the test cluster lies, and its numbers; sourced by the other scripts.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BASE=${ARGUS_CLUSTER_CACHE:-$ROOT/.cache/cluster} # what is built once and kept
BIN=$BASE/bin                                     # k8snode, coredns, kubectl, helm, ...
IMAGES=$BASE/images                               # image archives
RUN=${ARGUS_CLUSTER_RUN:-$BASE/run}               # state of one running cluster
NODE=argus-node
NODE_IP=10.250.0.1 # exists in the node's own network namespace only
POD_CIDR=10.244.0.0/24
SVC_CIDR=10.96.0.0/16
DNS_IP=10.96.0.10
API_PORT=16443 # this and the next two: inside the node
ETCD_PORT=12379
PEER_PORT=12380
export PATH=$BIN:$PATH

say() { printf '%5ds  %s\n' "$SECONDS" "$*" >&2; }
