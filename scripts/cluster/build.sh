#!/usr/bin/env bash
# Builds what is missing of the cluster's programs, from the Go module proxy: minutes once, then
# nothing. `build.sh` builds the control plane, the node's parts and kubectl; `build.sh helm` (or
# another name of tools.txt) that tool.
set -euo pipefail
. "$(dirname "$0")/env.sh"
mkdir -p "$BIN"
export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=readonly" GOTOOLCHAIN=local
V=k8s.io/component-base/version
STAMPED="-s -w -X $V.gitVersion=v1.36.3 -X $V.gitMajor=1 -X $V.gitMinor=36"

node() { # what it was built from stands in a file beside it
  local sum
  sum=$(cat "$HERE"/node/go.sum "$HERE"/node/*.go "$HERE"/node/dns/*.go | sha256sum)
  [ "$(cat "$BIN/.built" 2>/dev/null)" = "$sum" ] && return
  cd "$HERE/node"
  say "building the control plane, the node's parts, CoreDNS and kubectl (some 5 minutes)"
  go mod download
  go build -p 2 -ldflags "$STAMPED" -o "$BIN/k8snode" .
  go build -p 2 -ldflags "$STAMPED" -o "$BIN/kubectl" k8s.io/kubernetes/cmd/kubectl
  go build -p 2 -ldflags "-s -w" -o "$BIN/coredns" ./dns
  CGO_ENABLED=0 go build -ldflags "-s -w" -o "$BIN/pause" ./pause
  echo "$sum" >"$BIN/.built"
}

tool() { # name
  [ -x "$BIN/$1" ] && return
  local package version tags own
  read -r package version tags < <(awk -v name="$1" '$1 == name { print $2, $3, $4 }' "$HERE/tools.txt")
  say "building $1 $version"
  own=$BIN/$1.new # the program's own name is its package's, which two versions share
  GOFLAGS=-buildvcs=false GOBIN=$own go install -p 2 -tags "$tags" -ldflags "-s -w" "$package@$version"
  mv "$own"/* "$BIN/$1"
  rm -r "$own"
}

if [ $# = 0 ]; then node; fi
for name in "$@"; do tool "$name"; done
