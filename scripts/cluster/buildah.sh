# Builds images without a daemon or a registry; sourced.

buildah_here() {
  buildah --root "$BASE/storage" --runroot "$BASE/storage-run" "$@"
}

build() { # image folder [options of buildah build]
  buildah_here build --quiet --isolation chroot --pull=never --layers --tag "$1" "${@:3}" "$2" >/dev/null
}

archive() { # image file: writes $IMAGES/FILE.tar, for load.sh
  rm -f "$IMAGES/$2.tar"
  buildah_here push --quiet "$1" "docker-archive:$IMAGES/$2.tar:$1"
}

python_image() { # version
  echo "docker.io/library/python:$1-slim"
}
