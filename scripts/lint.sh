#!/usr/bin/env bash
# Runs every static check, tells of each in a line, and fails if any failed.
set -u
cd "$(dirname "$0")/.." || exit 1
BIN=${BIN:-.venv/bin}
failed=0

check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf '  ok      %s\n' "$name"
  else
    printf '  FAILED  %s\n%s\n' "$name" "$output"
    failed=1
  fi
}

echo "==> Checking"
check "format (ruff)" "$BIN/ruff" format --check .
check "style (ruff)" "$BIN/ruff" check .
check "types (mypy, strict)" "$BIN/mypy" models/argus_shapes operator/argus_{alerts,dashboards,operator} \
  services/argus_{cli,client,console,control,core,latents,metrics,predictor,router,rpc,worker} scripts bench
check "import rules (import-linter)" "$BIN/lint-imports"
check "generated code is current" "$BIN/python" scripts/protos.py --check
if command -v npx >/dev/null; then
  check "protos (buf lint)" npx --yes @bufbuild/buf@1.75.0 lint protos
else
  echo "  SKIPPED protos (buf lint): there is no npx (Node.js) to run buf with"
fi
exit $failed
