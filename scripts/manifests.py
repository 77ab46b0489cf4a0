"""Writes the charts' copies of CRD, alerts and dashboards, and manifests/; `--check` only compares.

Those without Helm apply manifests/: `kubectl apply -k manifests` is what the charts install with
their defaults, in the namespace argus-system.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from argus_alerts import groups
from argus_dashboards import boards

ROOT = Path(__file__).resolve().parent.parent
CRD = ROOT / "manifests" / "crds" / "argusclusters.argus.dev.yaml"
CHART_CRD = ROOT / "charts" / "argus-crds" / "templates" / "argusclusters.argus.dev.yaml"
OPERATOR = ROOT / "manifests" / "operator" / "operator.yaml"
ALERTS = ROOT / "manifests" / "alerts.yaml"
CHART_ALERTS = ROOT / "charts" / "argus" / "files" / "alerts.yaml"
NAMESPACE = "argus-system"
_HEAD = "# Rendered from charts/argus by scripts/manifests.py; never edited.\n"
_KEEP = "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n"


def main() -> int:
    """Write, or compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are current")
    check = parser.parse_args().check
    texts = made()
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"stale: {path.relative_to(ROOT)}; run scripts/manifests.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path])
    return 1 if check and stale else 0


def made() -> dict[Path, str]:
    """Every file, as it shall be."""
    rules = groups.text()
    return {
        CHART_CRD: kept(CRD.read_text()),
        ALERTS: rules,
        CHART_ALERTS: rules,
        **{ROOT / path: text for path, text in boards.files().items()},
        OPERATOR: _HEAD + rendered(),
    }


def kept(crd: str) -> str:
    """The CRD as a template of a chart: it outlives the release."""
    assert "{{" not in crd, "a template would take it for its own"
    assert crd.count("\nmetadata:\n") == 1
    return crd.replace("metadata:\n", _KEEP, 1)


def rendered() -> str:
    """What charts/argus installs with its defaults; needs helm."""
    tools = Path(os.environ.get("ARGUS_CLUSTER_CACHE", ROOT / ".cache" / "cluster")) / "bin"
    chart = str(ROOT / "charts" / "argus")
    command = ["helm", "template", "argus", chart, "--namespace", NAMESPACE, "--skip-tests"]
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    if not shutil.which("helm", path=environment["PATH"]):
        raise SystemExit(
            "there is no helm on the PATH; `make cluster-tools` builds one, or install it"
        )
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"the chart cannot be rendered:\n{done.stderr}")
    return done.stdout.replace("managed-by: Helm", "managed-by: manifests")


if __name__ == "__main__":
    sys.exit(main())
