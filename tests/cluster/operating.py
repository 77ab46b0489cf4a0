"""A real operator process over a real API server, for tests, and what is read of its clusters."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from argus_cli.local.ports import free_port
from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_control.lines import forever
from argus_operator import names
from argus_operator.gateway import Gateway
from argus_operator.health import Heartbeats
from argus_operator.kinds import CLUSTER, EVENT, POD, Kind
from argus_operator.metrics import Metrics
from argus_operator.office import Office
from argus_operator.settings import Settings
from argus_operator.watching import Listed, Watch
from argus_rpc.meanwhile import under_way
from cluster.kubelet import Kubelet, running_kubelet
from cluster.kubernetes import Kubernetes
from helpers import eventually

PATIENCE = 90.0
"""Seconds for what takes a few when the machine has nothing else to do."""


class Operator:
    """An operator's process."""

    def __init__(
        self,
        cluster: Kubernetes,
        namespace: str,
        folder: Path,
        name: str = "a",
        **environment: str,
    ) -> None:
        self._environment = environment
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self.log = folder / f"operator-{name}.log"
        self.health, self.metrics = free_port(), free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin; returns before it acts."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "argus_operator", f"--namespace={self._namespace}"),
                *(f"--health-port={self.health}", f"--metrics-port={self.metrics}"),
                env={
                    **os.environ,
                    "KUBECONFIG": str(self._cluster.kubeconfig),
                    "POD_NAME": f"operator-{self._name}",
                    "POD_NAMESPACE": self._namespace,
                    **self._environment,
                },
                stdout=log,
                stderr=log,
            )

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.returncode if self._process else None

    async def kill(self) -> None:
        """End it at once, wherever it is."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """Tell it to end; returns its exit status."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()


class Studio:
    """A cluster, its operator, and whoever runs its pods."""

    def __init__(
        self,
        cluster: Kubernetes,
        namespace: str,
        gateway: Gateway,
        kubelet: Kubelet,
        folder: Path,
        **environment: str,
    ) -> None:
        self.cluster, self.namespace, self.gateway = cluster, namespace, gateway
        self.kubelet = kubelet
        self.operator = Operator(cluster, namespace, folder, **environment)

    async def apply(self, document: dict[str, Any]) -> None:
        """As a user would."""
        await asyncio.to_thread(self.cluster.apply, document, namespace=self.namespace)

    async def get(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """An object as it is."""
        return await self.gateway.get(kind, self.namespace, name)

    async def status(self) -> dict[str, Any]:
        """Of the ArgusCluster `demo`; empty before there is one."""
        found = await self.get(CLUSTER, "demo")
        return (found or {}).get("status", {})

    async def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason."""
        for condition in (await self.status()).get("conditions", ()):
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return "", ""

    async def becomes(self, kind: str, *wanted: str, within: float = PATIENCE) -> None:
        """Wait for a condition's status and reason."""

        async def is_so() -> bool:
            return (await self.condition(kind))[: len(wanted)] == wanted

        try:
            await eventually(is_so, within, 0.2)
        except AssertionError as error:
            told = self.operator.log.read_text()[-3000:] if self.operator.log.exists() else ""
            status = await self.status()
            raise AssertionError(f"{kind} is not {wanted}: {status}\n{told}") from error

    async def pods(self, role: str = "worker") -> dict[str, dict[str, Any]]:
        """By name."""
        found = await self.gateway.list(
            POD, self.namespace, selector=f"argus.dev/cluster=demo,argus.dev/role={role}"
        )
        return {pod["metadata"]["name"]: pod for pod in found}

    async def labels(self) -> dict[str, str]:
        """By worker's pod, what its label says that it holds."""
        return {
            name: pod["metadata"]["labels"].get("argus.dev/variant", "")
            for name, pod in (await self.pods()).items()
        }

    async def events(self) -> list[dict[str, Any]]:
        """That tell of the cluster."""
        found = await self.gateway.list(EVENT, self.namespace)
        return [event for event in found if event["involvedObject"]["kind"] == "ArgusCluster"]


@asynccontextmanager
async def studio(
    cluster: Kubernetes, namespace: str, folder: Path, *, begins: bool = True, **environment: str
) -> AsyncIterator[Studio]:
    """A namespace with an operator of its own, and pods that run.

    `environment` is the operator's, besides what it needs.
    """
    crd = str(Path(__file__).parents[2] / "manifests/crds/argusclusters.argus.dev.yaml")
    cluster.kubectl("apply", "--server-side", "-f", crd)
    cluster.wait_for_kind("argusclusters.argus.dev")
    with cluster.namespace(namespace):
        async with (
            await Gateway.connect(str(cluster.kubeconfig)) as gateway,
            running_kubelet(gateway, namespace) as kubelet,
        ):
            made = Studio(cluster, namespace, gateway, kubelet, folder, **environment)
            if begins:
                await made.operator.start()
            try:
                yield made
            finally:
                if begins and made.operator.ended is None:
                    await made.operator.kill()


@asynccontextmanager
async def office(cluster: Studio, *hears: Kind) -> AsyncIterator[Office]:
    """What an operator's process has inside, in this one: it keeps `demo`, and hears of these."""
    kept = Office(cluster.gateway, Settings(), Metrics(), Heartbeats())
    kept.cluster("ADDED", await cluster.get(CLUSTER, "demo"))
    watches = [watch_of(cluster, kind, kept) for kind in hears]
    try:
        async with under_way(*(forever("hearing", watch.step) for watch in watches)):
            yield kept
    finally:
        await kept.close()


def watch_of(cluster: Studio, kind: Kind, kept: Office, listed: Listed | None = None) -> Watch:
    """As an operator watches a kind; `listed` may stand in the office's place."""
    return Watch(
        cluster.gateway,
        kind,
        cluster.namespace,
        selector=names.CLUSTER,
        hear=kept.belongings,
        listed=listed or kept.listed,
    )


def document(workers: int = 2, **spec: Any) -> dict[str, Any]:
    """`demo`: `large` and `tiny`, planned for every second."""
    level = {"steps": 8, "seconds": {"cpu": 0.5}}
    return {
        "apiVersion": "argus.dev/v1alpha1",
        "kind": "ArgusCluster",
        "metadata": {"name": "demo"},
        "spec": {
            "slo": {"deadlineSeconds": 20},
            "pools": [{"name": "cpu", "workers": workers}],
            "variants": [
                {"name": "large", "model": "builtin:shapes-large", "family": "shapes"},
                {"name": "tiny", "model": "builtin:shapes-tiny", "family": "shapes"},
            ],
            "ladder": [
                {
                    "name": "best",
                    "variant": "large",
                    "quality": 1.0,
                    **level,
                    "seconds": {"cpu": 2},
                },
                {"name": "quick", "variant": "tiny", "quality": 0.6, **level},
            ],
            "defaultSize": {"width": 48, "height": 48},
            "predictor": {"replicas": 0},
            "planning": {"intervalSeconds": 1, "steadySeconds": 4},
            **spec,
        },
    }


@asynccontextmanager
async def flooded(cluster):
    """More comes than the workers can carry at the best level."""
    (name,) = cluster.kubelet.routers
    address = f"{cluster.kubelet.addresses[name]}:8000"

    async def ask(client):
        while True:
            with suppress(Exception):
                await client.draw(Order(prompt="a red circle", deadline=15))
            await asyncio.sleep(0.05)  # between requests, that others may do things too

    async with (
        AsyncClient(address, retry=Retry(attempts=1)) as client,
        under_way(*(ask(client) for _ in range(6))),
    ):
        yield


async def serving(cluster, workers=2, **spec):
    """Apply the document, and wait until all its workers serve."""
    await cluster.apply(document(workers, **spec))
    await cluster.becomes("Ready", "True", "Serving")
    await cluster.becomes("Progressing", "False", "Settled")
