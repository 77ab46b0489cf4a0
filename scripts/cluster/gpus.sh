#!/usr/bin/env bash
# Has the node advertise COUNT devices as nvidia.com/gpu; nothing backs them: `gpus.sh COUNT`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
kubectl --kubeconfig "$RUN/pki/host.kubeconfig" patch node $NODE --subresource=status --type=merge \
  -p "{\"status\": {\"capacity\": {\"nvidia.com/gpu\": \"$1\"}, \"allocatable\": {\"nvidia.com/gpu\": \"$1\"}}}" >/dev/null
