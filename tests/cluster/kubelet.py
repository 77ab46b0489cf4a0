"""Runs pods where there is no node: each as a servicer of this process, at an address of its own.

Workers do as they are told, at once or when the test lets them; routers are real ones. What the
API server hears of them is what a kubelet would say.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager, suppress
from typing import Any

import yaml

from argus_core.errors import ArgusError
from argus_core.spec import parse_cluster
from argus_operator import names
from argus_operator.gateway import Gateway
from argus_operator.kinds import CONFIG_MAP, POD
from argus_protos.v1.worker_pb2_grpc import add_WorkerServiceServicer_to_server
from argus_router.router import Router
from argus_rpc import roster
from argus_rpc.server import Server
from control_support import ObedientWorker
from helpers import under_way

_LOOK = 0.1
"""Seconds between looks at the pods."""


class Worker(ObedientWorker):
    """A pod's: begins empty, or with what its pod was told."""

    def __init__(self, name: str, pool: str, variants: tuple[str, ...]) -> None:
        super().__init__(name, *variants)
        self.state.pool = pool

    async def listen(self, address: str) -> None:
        self._server = Server(
            address=address,
            servicers=[(add_WorkerServiceServicer_to_server, self)],
            services=["argus.v1.WorkerService"],
        )
        await self._server.start()
        self.address = address


class Kubelet:
    """Runs the pods of a namespace from the moment that it sees them."""

    def __init__(self, gateway: Gateway, namespace: str) -> None:
        self._gateway, self._namespace = gateway, namespace
        self._net = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
        self._numbers = itertools.count(1)
        self.workers: dict[str, Worker] = {}
        """By pod's name."""
        self.routers: dict[str, Router] = {}
        self.addresses: dict[str, str] = {}
        """By pod's name: its IP."""
        self._uids: dict[str, str] = {}
        self.keeps_pending: set[str] = set()
        """Pods that are left alone."""
        self.most: dict[str, int] = {}
        """By pool, the most pods that were seen at once."""

    async def run(self) -> None:
        while True:
            with suppress(ArgusError):
                await self._look()
            await asyncio.sleep(_LOOK)

    async def close(self) -> None:
        for name in list(self._uids):
            await self._end(name)

    async def _look(self) -> None:
        pods = {pod["metadata"]["name"]: pod for pod in await self._pods()}
        for name in [n for n, uid in self._uids.items() if _uid(pods.get(n)) != uid]:
            await self._end(name)
        by_pool: dict[str, int] = {}
        for name, pod in pods.items():
            pool = pod["metadata"]["labels"].get(names.POOL, "")
            by_pool[pool] = by_pool.get(pool, 0) + 1
            if name not in self._uids and name not in self.keeps_pending:
                await self._begin(name, pod)
        for pool, count in by_pool.items():
            self.most[pool] = max(self.most.get(pool, 0), count)

    async def _pods(self) -> list[dict[str, Any]]:
        return await self._gateway.list(POD, self._namespace, selector=names.CLUSTER)

    async def _begin(self, name: str, pod: dict[str, Any]) -> None:
        labels = pod["metadata"]["labels"]
        role, address = labels[names.ROLE], f"{self._net}.{next(self._numbers)}"
        if role == names.WORKER:
            told = pod["metadata"].get("annotations", {}).get(names.LOADOUT, "")
            worker = Worker(name, labels[names.POOL], tuple(filter(None, told.split(","))))
            await worker.listen(f"{address}:9000")
            self.workers[name] = worker
        elif role == names.ROUTER:
            self.routers[name] = await self._router(labels[names.CLUSTER], address)
        self._uids[name], self.addresses[name] = _uid(pod), address
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [
                {"type": kind, "status": "True"}
                for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
        }
        await self._gateway.merge(POD, self._namespace, name, {"status": status}, part="status")

    async def _router(self, cluster: str, address: str) -> Router:
        found = await self._gateway.get(CONFIG_MAP, self._namespace, cluster)
        document = parse_cluster(yaml.safe_load(found["data"]["cluster.yaml"]))
        router = Router(
            document,
            workers=self._roster(cluster),
            predictor=None,
            grpc=f"{address}:8000",
            http=f"{address}:8080",
        )
        await router.start()
        return router

    async def _roster(self, cluster: str) -> roster.Roster:
        """What DNS would say of the workers' Service."""
        standing = None
        while True:
            known = frozenset(
                f"{self.addresses[name]}:9000" for name in self.workers if name in self.addresses
            )
            if known != standing:
                standing = known
                yield known
            await asyncio.sleep(_LOOK)

    async def _end(self, name: str) -> None:
        self._uids.pop(name)
        self.addresses.pop(name, None)
        if worker := self.workers.pop(name, None):
            await worker.die()
        if router := self.routers.pop(name, None):
            await router.stop(0)


def _uid(pod: dict[str, Any] | None) -> str:
    return pod["metadata"]["uid"] if pod else ""


@asynccontextmanager
async def running_kubelet(gateway: Gateway, namespace: str):
    """A kubelet for as long as the block runs."""
    kubelet = Kubelet(gateway, namespace)
    try:
        async with under_way(kubelet.run()):
            yield kubelet
    finally:
        await kubelet.close()
