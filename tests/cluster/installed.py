"""Argus on the node: its images, its charts, and clusters of the small models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from argus_cli.load.record import Record
from cluster.charts import tool
from cluster.kubernetes import BIN, ROOT, SCRIPTS, STANDING, Kubernetes

IMAGES = ("operator", "router", "console", "predictor", "worker")
SYSTEM = "argus-system"
CHARTS = {name: ROOT / "charts" / name for name in ("argus-crds", "argus")}
"""In the order in which they are installed."""
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def loaded(node: Kubernetes) -> Kubernetes:
    """The node with Argus's images, of the code as it is now."""
    tool("helm")
    if not STANDING:
        load_images(node)
    return node


@pytest.fixture
def installed(loaded: Kubernetes) -> Iterator[Kubernetes]:
    """The node with both charts installed, as long as a test runs; skips where minutes count."""
    asked_for()
    with charts(loaded, CHARTS):
        yield loaded


def asked_for() -> None:
    """Skips the test where minutes count."""
    if not os.environ.get("ARGUS_CLUSTER_ALL"):
        pytest.skip("takes minutes on a real node: run by 'make test-cluster'")


def load_images(
    cluster: Kubernetes, images: Iterable[str] = IMAGES, *, source: Path = ROOT, tag: str = ""
) -> None:
    """Build Argus's images and load them into the node.

    Args:
        cluster: the node.
        images: their names.
        source: the tree that they are built from.
        tag: theirs; the version of the tree where empty.
    """
    settings = (f"PYTHON={sys.executable}", f"ARGUS_SOURCE={source}", f"ARGUS_TAG={tag}")
    cluster.run("env", *settings, str(SCRIPTS / "argus-images.sh"), *images, timeout=900)
    suffix = f"-{tag}" if tag else ""
    folder = BIN.parent / "images"
    archives = [str(folder / f"argus-{name}{suffix}.tar") for name in images]
    cluster.script("load.sh", *archives, timeout=300)


def put(cluster: Kubernetes, name: str, chart: Path, *options: str) -> None:
    """Install a chart, or upgrade to it, and wait until what it makes is ready."""
    into = ("--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "3m")
    cluster.run("helm", "upgrade", "--install", name, str(chart), *into, *options, timeout=200)


@contextmanager
def charts(cluster: Kubernetes, paths: Mapping[str, Path], *options: str) -> Iterator[None]:
    """Charts by name, in this order, for as long as the block runs; `options` are the last's."""
    *first, last = paths
    for name in first:
        put(cluster, name, paths[name])
    put(cluster, last, paths[last], *options)
    try:
        yield
    finally:
        for name in reversed(list(paths)):
            cluster.run("helm", "uninstall", name, "--namespace", SYSTEM, "--wait", timeout=150)
        # Kubernetes collects pods by their owner's name and hears of it late after an outage of the
        # API: where the same Deployment was made again meanwhile, the old one's pod stays for good.
        pods = ("pod", "-l", "app.kubernetes.io/part-of=argus", "-n", SYSTEM)
        cluster.kubectl("wait", "--for=delete", *pods, "--timeout=120s", timeout=130)


@dataclass(frozen=True, kw_only=True)
class Load:
    """Prompts on their way."""

    process: subprocess.Popen[str]
    goes_on: IO[bytes]
    """Of a pipe, whose other end is the process's input."""

    def end(self) -> None:
        """Have no more sent; what is under way goes on."""
        self.goes_on.close()

    def results(self) -> list[Record]:
        """Waits for the last; one a prompt, see load.py."""
        out, err = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, err
        return [Record(**json.loads(line)) for line in out.splitlines()]


@contextmanager
def load(cluster: Kubernetes, address: str, *, rate: float, seconds: float) -> Iterator[Load]:
    """Prompts from the node, `rate` a second for `seconds`; ended at the latest with the block."""
    command = [
        *(str(SCRIPTS / "in.sh"), sys.executable, str(ROOT / "tests" / "cluster" / "load.py")),
        *(address, str(rate), str(seconds)),
    ]
    pipe = subprocess.PIPE
    read, write = os.pipe()
    with (
        os.fdopen(write, "wb") as goes_on,
        os.fdopen(read, "rb") as told,
        subprocess.Popen(
            command, stdin=told, stdout=pipe, stderr=pipe, text=True, env=cluster.environment
        ) as process,
    ):
        try:
            yield Load(process=process, goes_on=goes_on)
        finally:
            process.kill()
