#!/usr/bin/env bash
# Takes the API server down, and brings it up again, while all else runs on: `api.sh down|up`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
case ${1:-} in
down)
  touch "$RUN/apiserver.down"
  # Its command line names this run's own key.
  pkill -KILL -f "k8snode apiserver .*$RUN/pki/apiserver.key" || true
  ;;
up)
  rm -f "$RUN/apiserver.down"
  until timeout 5 kubectl --kubeconfig "$RUN/pki/host.kubeconfig" get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
  ;;
*)
  echo "usage: api.sh down|up" >&2
  exit 2
  ;;
esac
