"""A cluster of the smallest model on made-up GPUs, and what is read of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

from argus_cli.load.checking import problems
from argus_cli.load.record import OK, Record
from cluster.installed import RESTRICTED, Load, load
from cluster.kubernetes import CommandFailed, Kubernetes
from helpers import eventually
from local_support import cluster_document

GPU = "nvidia.com/gpu"
WORKERS = 3
PATIENCE = 300.0
"""Seconds for what takes a few when the machine has nothing else to do."""
_LADDER = [
    {"name": f"{v}-8", "variant": v, "steps": 8, "quality": q, "seconds": {"cpu": s}}
    for v, q, s in (("first", 1.0, 1.0), ("second", 0.6, 0.5))
]
"""Levels that are said to take so long that little load is a burst."""


def document(name: str, **spec: Any) -> dict[str, Any]:
    """Three workers of one GPU each, planned for every second."""
    container = {"name": "worker", "resources": {"requests": {"cpu": "100m"}}}
    template = {"spec": {"containers": [container]}}
    pool = {"name": "gpus", "workers": WORKERS, "resourceName": GPU, "podTemplate": template}
    planning = {"intervalSeconds": 1, "steadySeconds": 4}
    defaults = {"pools": [pool], "ladder": _LADDER, "planning": planning}
    made = yaml.safe_load(cluster_document(name, **{**defaults, **spec}))
    return dict(made)


@dataclass(frozen=True, kw_only=True)
class Studio:
    """An ArgusCluster on the node."""

    cluster: Kubernetes
    namespace: str
    name: str

    @property
    def selector(self) -> str:
        """Of everything that belongs to it."""
        return f"argus.dev/cluster={self.name}"

    def seen(self) -> dict[str, Any]:
        """The document with its status."""
        found = self.cluster.get("argus", self.name, "-n", self.namespace)
        return dict(found)

    def status(self) -> dict[str, Any]:
        """What the operator wrote; empty where it has not yet."""
        return dict(self.seen().get("status", {}))

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition; empty where there is none yet."""
        for condition in self.status().get("conditions", []):
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return "", ""

    def pods(self, component: str = "worker") -> list[dict[str, Any]]:
        """Pods of a part, those that end included."""
        selector = f"{self.selector},argus.dev/role={component}"
        found = self.cluster.get("pods", "-n", self.namespace, "-l", selector)["items"]
        return list(found)

    def holding(self, variant: str) -> list[str]:
        """Workers whose label says that they hold it."""
        label = "argus.dev/variant"
        pods = self.pods()
        return [
            p["metadata"]["name"] for p in pods if p["metadata"]["labels"].get(label) == variant
        ]

    def load(self, *, rate: float, seconds: float) -> AbstractContextManager[Load]:
        """Prompts from the node to the cluster's Service, see `installed.load`."""
        address = f"{self.name}-router.{self.namespace}.svc.cluster.local:8000"
        return load(self.cluster, address, rate=rate, seconds=seconds)

    async def becomes(
        self, kind: str, status: str, reason: str = "", within: float = PATIENCE
    ) -> None:
        """Wait for a condition."""

        def is_so() -> bool:
            found = self.condition(kind)
            return found[0] == status and reason in {"", found[1]}

        try:
            await eventually(is_so, timeout=within, interval=0.5)
        except AssertionError as error:
            raise AssertionError(
                f"{kind} did not become {status} {reason}: {self.status()}"
            ) from error

    def apply(self, made: dict[str, Any]) -> None:
        """Apply a document."""
        self.cluster.apply(made, namespace=self.namespace)


@contextmanager
def studio(cluster: Kubernetes, name: str, **spec: Any) -> Iterator[Studio]:
    """A cluster in a restricted namespace of its own; both are gone afterwards."""
    with cluster.namespace(name, **RESTRICTED) as namespace:
        made = Studio(cluster=cluster, namespace=namespace, name=name)
        made.apply(document(name, **spec))
        try:
            yield made
        finally:
            cluster.kubectl("delete", "argus", name, "-n", namespace, "--wait", timeout=120)


@dataclass(kw_only=True)
class Budget:
    """GPUs that a namespace's pods ask for, looked at every second while the block runs."""

    cluster: Kubernetes
    namespace: str
    samples: list[int] = field(default_factory=list)
    """Sums over all pods that have not ended for good."""

    def __post_init__(self) -> None:
        """Nothing is looked at before the block is entered."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Budget:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1.0):
            try:
                pods = self.cluster.get("pods", "-n", self.namespace)["items"]
            except CommandFailed:
                continue  # the API server is down: nothing can be asked for either
            going = [p for p in pods if p["status"].get("phase") not in {"Succeeded", "Failed"}]
            self.samples.append(sum(map(_asked, going)))


def _asked(pod: dict[str, Any]) -> int:
    """GPUs that a pod asks for."""
    containers = pod["spec"]["containers"]
    return sum(int(c.get("resources", {}).get("requests", {}).get(GPU, 0)) for c in containers)


def served(traffic: Load) -> list[Record]:
    """Every prompt's record; fails where one was not answered by one picture."""
    results = traffic.results()
    lost = [result for result in results if result.code != OK]
    assert results, "no prompt was sent"
    assert not lost, f"{len(lost)} of {len(results)} prompts were lost: {lost[:5]}"
    assert not problems(results, expected=len(results), grace=5.0)
    return results
