"""A Kubernetes without nodes, which knows ArgusClusters, for as long as a block runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = _ROOT / "scripts" / "cluster"
_CACHE = Path(os.environ.get("ARGUS_CLUSTER_CACHE", _ROOT / ".cache" / "cluster"))
_CRD = _ROOT / "manifests" / "crds" / "argusclusters.argus.dev.yaml"
_BUILD, _START = 1800.0, 100.0
"""Seconds that building the programs, and starting them, may take."""


@contextmanager
def control_plane(*tools: str) -> Iterator[Path]:
    """Build what is missing of it and of `tools`, and start it.

    Yields its administrator's kubeconfig. Meanwhile KUBECONFIG names that, and the PATH has the
    programs. Tools are named as in scripts/cluster/tools.txt.

    Raises:
        CalledProcessError: it could not be built or started; the script has said why.
    """
    before = dict(os.environ)
    _script("build.sh", within=_BUILD)
    if tools:
        _script("build.sh", *tools, within=_BUILD)
    with tempfile.TemporaryDirectory() as state:
        os.environ["ARGUS_CLUSTER_RUN"] = state
        os.environ["PATH"] = f"{_CACHE / 'bin'}:{os.environ['PATH']}"
        kubeconfig = Path(state, "pki", "host.kubeconfig")
        os.environ["KUBECONFIG"] = str(kubeconfig)
        try:
            _script("up.sh", "--control-plane", within=_START)
            know_clusters()
            yield kubeconfig
        finally:
            _script("down.sh", "--wipe", within=_START)
            os.environ.clear()
            os.environ.update(before)


def know_clusters() -> None:
    """Have the API server of KUBECONFIG know ArgusClusters."""
    _run("kubectl", "apply", "--server-side", "-f", str(_CRD))
    _script("served.sh", "argusclusters.argus.dev", within=2 * _START)


def _script(name: str, *arguments: str, within: float) -> None:
    _run(str(_SCRIPTS / name), *arguments, within=within)


def _run(*command: str, within: float = _START) -> None:
    # What a script says on stdout is for a shell.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=within)  # noqa: S603
