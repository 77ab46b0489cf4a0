#!/usr/bin/env bash
# Builds Argus's images and leaves them as archives for load.sh: `argus-images.sh [TARGET ...]`.
#
# worker and predictor come without their packages (torch and its GPU libraries take gigabytes and
# minutes): the tests mount this machine's own, see tests/cluster. `FULL=1` builds them with.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$HERE/buildah.sh"
mkdir -p "$IMAGES"
version=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
options=(--build-arg "PYTHON=$(python_image "$version")" --file "$ROOT/images/Dockerfile"
  --ignorefile "$ROOT/images/Dockerfile.dockerignore")
[ -n "${FULL:-}" ] || options+=(--build-arg WORKER_PACKAGES=packages-none --build-arg PREDICTOR_PACKAGES=packages-none)
# pip needs to trust whom this machine trusts.
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || options+=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)

for target in "${@:-operator router predictor worker}"; do
  for name in $target; do
    build "docker.io/argus/$name:test" "$ROOT" "${options[@]}" --target "$name"
    archive "docker.io/argus/$name:test" "argus-$name"
    say "built the image argus/$name"
  done
done
