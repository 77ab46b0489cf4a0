#!/usr/bin/env bash
# Builds Argus's images and leaves them as archives for load.sh: `argus-images.sh [TARGET ...]`.
#
# worker and predictor come without their packages (torch and its GPU libraries take gigabytes and
# minutes): the test node mounts this machine's own, see node-config.sh. `FULL=1` builds them with.
# ARGUS_SOURCE is another version's tree to build from; ARGUS_TAG its images' tag, and in the names of
# its archives.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$HERE/buildah.sh"
mkdir -p "$IMAGES"
source=${ARGUS_SOURCE:-$ROOT}
tag=${ARGUS_TAG:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$source/pyproject.toml")}
version=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
options=(--build-arg "PYTHON=$(python_image "$version")" --file "$source/images/Dockerfile"
  --ignorefile "$source/images/Dockerfile.dockerignore")
[ -n "${FULL:-}" ] || options+=(--build-arg MOUNTED=/opt/packages)
# pip needs to trust whom this machine trusts.
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || options+=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)

[ $# -gt 0 ] || set -- operator router console predictor worker
for name in "$@"; do
  build "docker.io/argus/$name:$tag" "$source" "${options[@]}" --target "$name"
  archive "docker.io/argus/$name:$tag" "argus-$name${ARGUS_TAG:+-$ARGUS_TAG}"
  say "built the image argus/$name:$tag"
done
