#!/usr/bin/env bash
# Installs what the tests need beside Python where that can be had, and says what cannot.
set -u

# Program, package, and the tests that need it.
NEEDS="
redis-server redis-server            Redis
containerd   containerd              a Kubernetes node
runc         runc                    a Kubernetes node
bridge       containernetworking-plugins a Kubernetes node
iptables     iptables                a Kubernetes node
conntrack    conntrack               a Kubernetes node
socat        socat                   a Kubernetes node
buildah      buildah                 a Kubernetes node
debootstrap  debootstrap             a Kubernetes node
chromium     chromium                the console's page
"

there() { PATH=$PATH:/usr/lib/cni command -v "$1" >/dev/null; }

missing() { # their packages
  while read -r program package _; do
    [ -z "$program" ] || there "$program" || echo "$package"
  done <<<"$NEEDS"
}

packages=$(missing)
[ -n "$packages" ] || exit 0
echo "==> Installing" $packages "(for the tests of the latent store, the console, and on Kubernetes)"
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages) >/dev/null 2>&1
fi
while read -r program package tests; do
  [ -z "$program" ] || there "$program" ||
    echo "  SKIPPED tests of $tests: $program is missing; install '$package' with your system's packages"
done <<<"$NEEDS"
