"""Argus on the node: its images, its charts, and clusters of the small models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.charts import tool
from cluster.kubernetes import BIN, ROOT, SCRIPTS, STANDING, Kubernetes

IMAGES = ("operator", "router", "console", "predictor", "worker")
SYSTEM = "argus-system"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def loaded(node: Kubernetes) -> Kubernetes:
    """The node with Argus's images, of the code as it is now."""
    tool("helm")
    if STANDING:
        return node
    node.run("env", f"PYTHON={sys.executable}", str(SCRIPTS / "argus-images.sh"), timeout=600)
    archives = [str(BIN.parent / "images" / f"argus-{name}.tar") for name in IMAGES]
    node.script("load.sh", *archives, timeout=300)
    return node


@pytest.fixture
def installed(loaded: Kubernetes) -> Iterator[Kubernetes]:
    """The node with both charts installed, as long as a test runs; skips where minutes count."""
    if not os.environ.get("ARGUS_CLUSTER_ALL"):
        pytest.skip("takes minutes on a real node: run by 'make test-cluster'")
    charts = ROOT / "charts"
    into = ("--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "2m")
    for name in ("argus-crds", "argus"):
        loaded.run("helm", "upgrade", "--install", name, str(charts / name), *into, timeout=150)
    yield loaded
    for name in ("argus", "argus-crds"):
        loaded.run("helm", "uninstall", name, "--namespace", SYSTEM, "--wait", timeout=150)


@dataclass(frozen=True, kw_only=True)
class Load:
    """Prompts on their way."""

    process: subprocess.Popen[str]

    def results(self) -> list[dict[str, Any]]:
        """Waits for the last; one a prompt, see load.py."""
        out, err = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]


@contextmanager
def load(cluster: Kubernetes, address: str, *, rate: float, seconds: float) -> Iterator[Load]:
    """Prompts from the node, `rate` a second for `seconds`; ended at the latest with the block."""
    command = [
        *(str(SCRIPTS / "in.sh"), sys.executable, str(ROOT / "tests" / "cluster" / "load.py")),
        *(address, str(rate), str(seconds)),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=cluster.environment
    ) as process:
        try:
            yield Load(process=process)
        finally:
            process.kill()
