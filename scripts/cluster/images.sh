#!/usr/bin/env bash
# Makes the images that the node starts with, and the Python image that Argus's are built on,
# without a registry. What is there already is kept.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$HERE/buildah.sh"
mkdir -p "$IMAGES"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

program() { # name image user: an image of one program of $BIN
  [ -f "$IMAGES/$1.tar" ] && return
  cp "$BIN/$1" "$scratch/"
  printf 'FROM scratch\nCOPY %s /%s\nUSER %s\nENTRYPOINT ["/%s"]\n' "$1" "$1" "$3" "$1" >"$scratch/Dockerfile"
  build "$2" "$scratch"
  archive "$2" "$1"
}

# Debian by debootstrap, with the very Python that runs the tests in /usr/local, so that compiled
# packages of this machine work in it.
python() {
  local prefix version tree=$scratch/python
  read -r prefix version < <("${PYTHON:-python3}" -c \
    'import sys; print(sys.base_prefix, "%d.%d" % sys.version_info[:2])')
  buildah_here inspect "$(python_image "$version")" >/dev/null 2>&1 && return
  if [ "$prefix" = /usr ]; then
    say "the Python of .venv is the system's, which cannot be put into an image alone"
    return 1
  fi
  say "making a Python $version image"
  debootstrap --variant=minbase --include=ca-certificates,libsqlite3-0,libffi8,libreadline8,libbz2-1.0,libssl3,zlib1g,liblzma5,libncursesw6 \
    bookworm "$tree" "$(apt-get indextargets --format '$(SITE) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')" >"$scratch/log" 2>&1 ||
    { tail "$scratch/log" >&2 && return 1; }
  rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/* "$tree"/usr/share/{doc,man}/*
  tar -C "$prefix" --exclude __pycache__ --exclude site-packages --exclude "python$version/test" \
    --exclude 'config-*' --exclude '*.a' -c bin include lib share | tar -x -C "$tree/usr/local"
  find "$tree/usr/local/bin" -type f ! -name 'python*' -delete # they name this machine's Python
  chroot "$tree" ldconfig
  chroot "$tree" /usr/local/bin/python3 -m ensurepip >"$scratch/log" 2>&1
  ln -sf python3 "$tree/usr/local/bin/python"
  chroot "$tree" /usr/local/bin/python -c 'import ssl, sqlite3, ctypes, lzma, bz2, readline'
  # argus-images.sh mounts this machine's certificates there.
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$tree/etc/pip.conf"
  tar -C "$tree" --numeric-owner -cf "$scratch/python.tar" .
  printf 'FROM scratch\nADD python.tar /\nENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8\nCMD ["python3"]\n' >"$scratch/Dockerfile"
  build "$(python_image "$version")" "$scratch"
}

# Where this machine's packages are, for node-config.sh.
"${PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$BASE/packages"
python
program pause registry.k8s.io/pause:3.10 65535
program coredns registry.k8s.io/coredns/coredns:v1.14.1 0
