#!/usr/bin/env bash
# Ends the cluster that up.sh started: `down.sh [--wipe]`, the latter with its state.
set -uo pipefail
. "$(dirname "$0")/env.sh"

for file in forward.pid pid; do # each is the leader of a process group, or of a PID namespace
  [ -f "$RUN/$file" ] || continue
  kill -KILL -- "-$(cat "$RUN/$file")" 2>/dev/null || kill -KILL "$(cat "$RUN/$file")" 2>/dev/null
  rm -f "$RUN/$file"
done
if [ -f "$RUN/cgroup" ]; then
  # The kernel takes a moment to empty them.
  for _ in $(seq 50); do
    find /sys/fs/cgroup -depth -type d -path "*/$(cat "$RUN/cgroup")*" -exec rmdir {} + 2>/dev/null
    [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$(cat "$RUN/cgroup")" 2>/dev/null)" ] && break
    sleep 0.1
  done
fi
[ "${1:-}" = --wipe ] && rm -rf "$RUN"
exit 0
