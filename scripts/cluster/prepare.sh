#!/usr/bin/env bash
# Builds what the tests on a Kubernetes need, and says aloud what cannot be had here; never fails,
# since each test says itself what it lacks.
#   ARGUS_CLUSTER=control-plane   only what the API alone needs
#   ARGUS_CLUSTER_PATIENCE=300    seconds that Go may build for, in all
set -u
. "$(dirname "$0")/env.sh"

miss() { echo "  SKIPPED $1: $2"; }
skip() {
  miss "$@"
  exit 0
}

command -v go >/dev/null || [ -x "$BIN/k8snode" ] || skip "tests on a Kubernetes" "there is no Go to build it with"
SECONDS=0 # bash counts them from here
build() {
  local left=$((${ARGUS_CLUSTER_PATIENCE:-3600} - SECONDS))
  [ "$left" -gt 0 ] && timeout "$left" "$HERE/build.sh" "$@"
}
late="did not build, or not in time; 'make cluster-tools' takes its time"
build && has_node=yes || has_node=no
{ build promtool && build prometheus; } || miss "tests of the alerts" "promtool or prometheus $late"
[ "$has_node" = yes ] || skip "tests on a Kubernetes" "it $late"
build helm kubeconform || skip "tests of the charts" "helm or kubeconform did not build, or not in time"
[ "${ARGUS_CLUSTER:-}" != control-plane ] ||
  skip "tests on a node that runs pods" "only the control plane was asked for; 'make test-cluster' runs them"
build helm3 || miss "tests of the charts with Helm 3" "it $late"
[ "$(id -u)" = 0 ] || skip "tests on a node that runs pods" "it needs root"
"$HERE/images.sh" || skip "tests on a node that runs pods" "the images did not build"
"$HERE/argus-images.sh" || skip "tests of Argus on a node" "its images did not build"
