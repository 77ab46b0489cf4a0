# Starts the whole node; sourced by up.sh. The node lives in namespaces and cgroups of its own and
# has no uplink, so no packet of a test leaves the machine; all of it ends with one process.
[ -f "$RUN/cgroup" ] || echo "argus-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')" >"$RUN/cgroup"
[ -f "$RUN/port" ] || free_ports 1 >"$RUN/port"
port=$(cat "$RUN/port")
"$HERE/certs.sh" "$API_PORT" "$port"

enter_cgroups() { # the shell that calls it, with all that it starts, goes into cgroups of its own
  local controllers path own
  while IFS=: read -r _ controllers path; do
    [ -n "$controllers" ] || continue
    own=/sys/fs/cgroup/${controllers#name=}${path%/}/$(cat "$RUN/cgroup")
    mkdir -p "$own"
    if [ "$controllers" = cpuset ]; then
      for each in cpus mems; do cat "$own/../cpuset.$each" >"$own/cpuset.$each"; done
    fi
    echo $BASHPID >"$own/cgroup.procs"
  done </proc/self/cgroup
}

(
  enter_cgroups
  exec setsid unshare --mount --net --cgroup --pid --uts --ipc --fork --mount-proc --kill-child \
    --propagation private "$HERE/node-init.sh"
) >"$RUN/log/init.log" 2>&1 </dev/null &
outer=$!
until inner=$(pgrep -P $outer); do
  kill -0 $outer || { cat "$RUN/log/init.log" >&2; exit 1; }
  sleep 0.1
done
echo "$inner" >"$RUN/pid"

# The API's port, seen from this machine.
setsid socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" \
  EXEC:"nsenter -t $inner -n socat STDIO TCP\:127.0.0.1\:$API_PORT" \
  >"$RUN/log/forward.log" 2>&1 </dev/null &
echo $! >"$RUN/forward.pid"

export KUBECONFIG=$kubeconfig
wait_for_api "$inner"
for image in pause coredns; do "$HERE/load.sh" "$IMAGES/$image.tar" >"$RUN/log/load-$image.log" 2>&1; done
until kubectl get node $NODE >/dev/null 2>&1; do sleep 0.2; done
kubectl wait --for=condition=Ready node/$NODE --timeout=120s >/dev/null
"$HERE/gpus.sh" "${ARGUS_CLUSTER_GPUS:-4}"
say "the node is ready"
kubectl apply -f "$HERE/manifests/" >"$RUN/log/apply.log"
kubectl -n kube-system rollout status deployment/coredns --timeout=120s >/dev/null
say "DNS is ready"
