"""What tests of the charts share: rendering them, and the values they are rendered with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.kubernetes import BIN, ROOT

CHARTS = ROOT / "charts"
BEFORE = "0.0.1"
"""The version before, see `previous/`."""
PREVIOUS = {
    name: ROOT / "tests" / "cluster" / "previous" / f"{name}-{BEFORE}.tgz"
    for name in ("argus-crds", "argus")
}
"""Its charts."""

MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one-namespace": {"watchNamespaces": ["studio"]},
    "namespaces": {"watchNamespaces": ["studio", "prints"]},
    "monitored": {
        "metrics": {
            "serviceMonitor": {"enabled": True, "interval": "5s", "labels": {"team": "images"}},
            "prometheusRule": {
                "enabled": True,
                "runbooks": "https://wiki.example/runbooks/",
                "labels": {"team": "images"},
            },
        }
    },
    "dashboards": {
        "metrics": {
            "dashboards": {"enabled": True, "label": "boards", "labels": {"team": "images"}}
        }
    },
    "dashboards-elsewhere": {"metrics": {"dashboards": {"enabled": True, "namespace": "studio"}}},
    "unmonitored": {"metrics": {"service": False}},
    "own-account": {
        "serviceAccount": {"create": False, "name": "operator"},
        "rbac": {"create": False},
    },
    "annotated-account": {"serviceAccount": {"annotations": {"cloud/role": "argus"}}},
    "mirrored": {
        "images": {
            "registry": "mirror.example/",
            "tag": "1.2.3",
            "pullPolicy": "Always",
            "pullSecrets": [{"name": "mirror"}],
        }
    },
    "console": {
        "console": {
            "enabled": True,
            "router": "studio-router.studio.svc:8000",
            "keysSecret": "keys",
            "routerKeys": True,
            "routerTlsSecret": "trusted",
            "routerClientCertificate": True,
            "routerName": "studio-router.studio.svc",
            "tlsSecret": "page",
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "images"}}}],
            "resources": {
                "requests": {"cpu": "100m", "memory": "1Gi"},
                "limits": {"memory": "1Gi"},
            },
        }
    },
    "named": {"nameOverride": "drawer", "fullnameOverride": "drawer-of-pictures"},
    "placed": {
        "operator": {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "system", "operator": "Exists"}],
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "preference": {
                                "matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]
                            },
                        }
                    ]
                }
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"team": "images"}},
                }
            ],
            "priorityClassName": "system-cluster-critical",
            "podLabels": {"team": "images"},
            "podAnnotations": {"note": "yes: it is"},
            "env": [{"name": "TZ", "value": "UTC"}],
            "logLevel": "debug",
            "routers": {"tlsSecret": "routers", "controlKeySecret": "control"},
            "workers": {"tlsSecret": "workers"},
            "terminationGracePeriodSeconds": 60,
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        }
    },
}
"""Values by what they are for: every one of the chart's is set in some."""


def tool(name: str) -> str:
    """The path of a tool; skips the test where there is none."""
    if found := shutil.which(name, path=f"{BIN}:{os.environ['PATH']}"):
        return found
    pytest.skip(f"{name} is missing: run 'make cluster-tools' (needs Go)")


def helm(*arguments: str, program: str = "helm") -> subprocess.CompletedProcess[str]:
    """Run helm, or the `program` that is another version of it, without a cluster."""
    return subprocess.run(
        [tool(program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "KUBECONFIG": "/dev/null"},
    )


def render(
    chart: str, values: dict[str, Any], folder: Path, *, program: str = "helm"
) -> list[dict[str, Any]]:
    """The documents of a chart with these values, as `helm template` writes them.

    Args:
        chart: its name, or the path of a packaged one.
        values: those that differ from the chart's own.
        folder: where they are written to.
        program: which helm.
    """
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm(
        *("template", "argus", str(CHARTS / chart), "--namespace", "argus-system"),
        # One that was not built by its makers takes itself for a Kubernetes of long ago.
        *("--values", str(file), "--kube-version", "1.36.3"),
        program=program,
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]
