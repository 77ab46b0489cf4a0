#!/usr/bin/env bash
# Installs what the tests need beside Python where that can be had, and says what cannot.
set -u

if command -v redis-server >/dev/null; then
  exit 0
fi
echo "==> Installing redis-server (for the tests of the latent store)"
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server) \
    >/dev/null 2>&1
fi
command -v redis-server >/dev/null ||
  echo "  SKIPPED tests of Redis: redis-server is missing; install it with your system's packages"
