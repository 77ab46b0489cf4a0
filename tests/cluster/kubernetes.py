"""A real Kubernetes for tests: `api_server`, its API alone, and `node`, which runs pods too.

Both are started by scripts/cluster and belong to this test session alone, so several sessions may
run at once. Where this machine cannot run them, the tests are skipped with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts" / "cluster"
STANDING = os.environ.get("ARGUS_CLUSTER_NODE", "")
"""State of a node that runs already, with Argus's images; empty for one of the session's own."""
BIN = Path(os.environ.get("ARGUS_CLUSTER_CACHE", ROOT / ".cache" / "cluster")) / "bin"


class CommandFailed(AssertionError):
    """A command ended with another status than 0; what it wrote stands in `output`."""

    def __init__(self, command: list[str], output: str) -> None:
        super().__init__(f"{' '.join(command)}\n{output}")
        self.output = output


@dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """A running cluster."""

    kubeconfig: Path
    """For its administrator."""
    state: Path
    """Folder of its state and logs."""

    @property
    def environment(self) -> dict[str, str]:
        """Of commands that shall talk to it; the tools are on its PATH."""
        path = f"{BIN}:{os.environ['PATH']}"
        mine = {"KUBECONFIG": str(self.kubeconfig), "ARGUS_CLUSTER_RUN": str(self.state)}
        return {**os.environ, **mine, "PATH": path}

    def run(self, *command: str, stdin: str | None = None, timeout: float = 100.0) -> str:
        """What a command wrote to stdout.

        Raises:
            CommandFailed: with what it wrote to either.
        """
        done = subprocess.run(
            command,
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
        )
        if done.returncode:
            raise CommandFailed(list(command), done.stdout + done.stderr)
        return done.stdout

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 100.0) -> str:
        """Run kubectl as the administrator; raises CommandFailed."""
        return self.run("kubectl", *arguments, stdin=stdin, timeout=timeout)

    def get(self, *arguments: str) -> Any:
        """What `kubectl get ... -o json` returns, decoded; raises CommandFailed."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *documents: dict[str, Any], namespace: str = "default") -> str:
        """Apply documents as a user would; raises CommandFailed with the API server's words."""
        listed = {"apiVersion": "v1", "kind": "List", "items": documents}
        return self.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(listed))

    def wait_for_kind(self, name: str) -> None:
        """Return once the API server serves a custom resource; raises CommandFailed."""
        # Two waits of a minute each at most.
        self.script("served.sh", name, timeout=150.0)

    def script(self, name: str, *arguments: str, timeout: float = 100.0) -> str:
        """Run a script of scripts/cluster for this cluster; raises CommandFailed."""
        return self.run(str(SCRIPTS / name), *arguments, timeout=timeout)

    def make_namespace(self, name: str, **labels: str) -> None:
        """Make a namespace, or label the one there is; pods are admitted when this returns."""
        metadata = {"name": name, "labels": labels}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        # Without its account no pod is admitted.
        account = ("serviceaccount/default", "-n", name)
        self.kubectl("wait", "--for=create", *account, "--timeout=60s")

    @contextmanager
    def namespace(self, name: str, **labels: str) -> Iterator[str]:
        """A namespace for as long as the block runs; its deletion is begun, not awaited."""
        self.make_namespace(name, **labels)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """API server, controllers and scheduler: pods are made but never run. Ready in seconds."""
    yield from _cluster(tmp_path_factory.mktemp("control-plane"), "--control-plane")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """A whole node, whose pods run; it advertises `nvidia.com/gpu` devices that nothing backs."""
    if STANDING:
        yield _kubernetes(Path(STANDING))
        return
    yield from _cluster(tmp_path_factory.mktemp("node"), "--node")


def _cluster(state: Path, rung: str) -> Iterator[Kubernetes]:
    environment = {**os.environ, "ARGUS_CLUSTER_RUN": str(state)}

    def script(name: str, option: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPTS / name, option],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            env=environment,
        )

    able = script("check.sh", rung)
    if able.returncode:
        pytest.skip(f"no Kubernetes here: {able.stdout.strip()}")
    try:
        started = script("up.sh", rung)
        assert started.returncode == 0, started.stderr
        yield _kubernetes(state)
    finally:
        script("down.sh", "--wipe")


def _kubernetes(state: Path) -> Kubernetes:
    return Kubernetes(kubeconfig=state / "pki" / "host.kubeconfig", state=state)
