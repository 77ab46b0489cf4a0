#!/usr/bin/env bash
# Returns once the API server of $KUBECONFIG serves a custom resource: `served.sh PLURAL.GROUP`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
# While it has no list of conditions, kubectl fails in place of waiting for one.
for what in 'jsonpath={.status.acceptedNames.kind}' condition=Established; do
  kubectl wait --for="$what" "crd/$1" --timeout=60s
done
