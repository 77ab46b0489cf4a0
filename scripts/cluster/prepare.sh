#!/usr/bin/env bash
# Builds what the tests on a Kubernetes need, and says aloud what cannot be had here; never fails,
# since each test says itself what it lacks.
set -u
. "$(dirname "$0")/env.sh"

skip() {
  echo "  SKIPPED $1: $2"
  exit 0
}

command -v go >/dev/null || [ -x "$BIN/k8snode" ] || skip "tests on a Kubernetes" "there is no Go to build it with"
"$HERE/build.sh" || skip "tests on a Kubernetes" "it did not build"
"$HERE/build.sh" helm kubeconform || skip "tests of the charts" "helm or kubeconform did not build"
[ "$(id -u)" = 0 ] || skip "tests on a node that runs pods" "it needs root"
"$HERE/images.sh" || skip "tests on a node that runs pods" "the images did not build"
"$HERE/argus-images.sh" || skip "tests of Argus on a node" "its images did not build"
