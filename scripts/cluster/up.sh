#!/usr/bin/env bash
# Starts a Kubernetes and prints where its kubeconfig is, as a line to `eval`:
#   up.sh                   a whole node, which runs pods; returns when its DNS answers
#   up.sh --control-plane   API server, controllers and scheduler: objects, no running pods
# Its state lies in $ARGUS_CLUSTER_RUN; down.sh ends it.
set -euo pipefail
. "$(dirname "$0")/env.sh"
rung=${1:---node}
kubeconfig=$RUN/pki/host.kubeconfig

if [ -f "$RUN/pid" ] && kill -0 "$(cat "$RUN/pid")" 2>/dev/null; then
  echo "export KUBECONFIG=$kubeconfig"
  exit 0
fi
if ! why=$("$HERE/check.sh" "$rung"); then
  echo "cannot start a cluster: $why" >&2
  exit 1
fi
mkdir -p "$RUN/log"
rm -f "$RUN/apiserver.down"

# Below the ports that connections are given: a client that keeps trying a port of those while the
# server is down would in the end connect to itself, and hold the port.
free_ports() { # how many
  python3 - "$1" <<'P'
import random, socket, sys
taken = []
while len(taken) < int(sys.argv[1]):
    try:
        taken.append(socket.create_server(("127.0.0.1", random.randrange(20000, 32000))))
    except OSError:
        continue
print(*(each.getsockname()[1] for each in taken))
P
}

wait_for_api() { # process that must not end
  until kubectl --kubeconfig "$kubeconfig" get --raw /readyz >/dev/null 2>&1; do
    if ! kill -0 "$1" 2>/dev/null; then
      tail -n 20 "$RUN/log/init.log" >&2
      exit 1
    fi
    sleep 0.1
  done
  say "the API server is ready"
}

if [ "$rung" = --control-plane ]; then
  read -r api etcd peer < <(free_ports 3)
  rm -rf "$RUN/pki"
  "$HERE/certs.sh" "$api" "$api"
  setsid "$HERE/control-plane-init.sh" "$api" "$etcd" "$peer" >"$RUN/log/init.log" 2>&1 </dev/null &
  echo $! >"$RUN/pid"
  wait_for_api $!
else
  . "$HERE/node-up.sh"
fi
echo "export KUBECONFIG=$kubeconfig"
