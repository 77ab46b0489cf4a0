"""Runs pods where there is no node: each as a servicer of this process, at an address of its own.

Workers do as they are told, at once or when the test lets them; routers are real ones. What the
API server hears of them is what a kubelet would say.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from argus_core.errors import ArgusError
from argus_operator import names
from argus_operator.gateway import Gateway
from argus_operator.kinds import CONFIG_MAP, POD, Kind
from argus_protos.v1.worker_pb2_grpc import add_WorkerServiceServicer_to_server
from argus_router.router import Router
from argus_rpc import roster
from argus_rpc.document import load_or_exit
from argus_rpc.meanwhile import under_way
from argus_rpc.peers import Peers, peers_of
from argus_rpc.server import Server
from argus_rpc.tls import TlsFiles
from control_support import ObedientWorker

SECRET = Kind("v1", "Secret", "secrets")
_LOOK = 0.1
"""Seconds between looks at the pods."""


class Worker(ObedientWorker):
    """A pod's: begins empty, or with what its pod was told."""

    def __init__(self, name: str, pool: str, variants: tuple[str, ...]) -> None:
        super().__init__(name, *variants)
        self.state.pool = pool

    async def listen(self, address: str, peers: Peers | None) -> None:
        self._server = Server(
            address=address,
            servicers=[(add_WorkerServiceServicer_to_server, self)],
            services=["argus.v1.WorkerService"],
            credentials=peers.asked() if peers else None,
        )
        await self._server.start()
        self.address = address


class Mounts:
    """A pod's ConfigMaps and Secrets as files, which follow what the API server has."""

    def __init__(self, gateway: Gateway, pod: dict[str, Any]) -> None:
        self._gateway, self._pod = gateway, pod
        self._folder = tempfile.TemporaryDirectory()

    async def sync(self) -> None:
        namespace = self._pod["metadata"]["namespace"]
        for volume in self._pod["spec"]["volumes"]:
            data: dict[str, bytes] = {}
            if "secret" in volume:
                name = volume["secret"]["secretName"]
                found = await self._gateway.get(SECRET, namespace, name)
                data = {key: base64.b64decode(text) for key, text in found["data"].items()}
            elif "configMap" in volume:
                found = await self._gateway.get(CONFIG_MAP, namespace, volume["configMap"]["name"])
                data = {key: text.encode() for key, text in found["data"].items()}
            for key, text in data.items():
                self._write(Path(self._folder.name, volume["name"], key), text)

    def arguments(self) -> dict[str, list[str]]:
        """Of the container, with paths in mounts as they are here."""
        (container,) = self._pod["spec"]["containers"]
        found: dict[str, list[str]] = {}
        for argument in container["args"]:
            name, _, value = argument.partition("=")
            found.setdefault(name, []).append(self._here(value, container["volumeMounts"]))
        return found

    def _here(self, value: str, mounts: list[dict[str, Any]]) -> str:
        for mount in mounts:
            inside = mount["mountPath"] + "/"
            if value == mount["mountPath"]:
                return str(Path(self._folder.name, mount["name"]))
            if value.startswith(inside):
                return str(Path(self._folder.name, mount["name"], value.removeprefix(inside)))
        return value

    @property
    def peered(self) -> bool:
        """Whether the pod speaks mutual TLS with the others."""
        return "--internal-tls" in self.arguments()

    def peers(self) -> Peers | None:
        """With whom the pod speaks mutual TLS; None for plainly."""
        where = self._pod["metadata"]
        (folder,) = self.arguments().get("--internal-tls", [None])
        cluster = where["labels"][names.CLUSTER]
        return peers_of(folder and Path(folder), cluster, where["namespace"])

    def close(self) -> None:
        self._folder.cleanup()

    @staticmethod
    def _write(path: Path, text: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_bytes() != text:
            new = path.with_suffix(".new")
            new.write_bytes(text)
            new.replace(path)


class Kubelet:
    """Runs the pods of a namespace from the moment that it sees them."""

    def __init__(self, gateway: Gateway, namespace: str) -> None:
        self._gateway, self._namespace = gateway, namespace
        self._net = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
        self._numbers = itertools.count(1)
        self.workers: dict[str, Worker] = {}
        """By pod's name."""
        self.routers: dict[str, Router] = {}
        self._mounts: dict[str, Mounts] = {}
        """Of routers, and of whoever has a certificate to read."""
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
        for mounts in self._mounts.values():
            await mounts.sync()
        for pool, count in by_pool.items():
            self.most[pool] = max(self.most.get(pool, 0), count)

    async def _pods(self) -> list[dict[str, Any]]:
        return await self._gateway.list(POD, self._namespace, selector=names.CLUSTER)

    async def _begin(self, name: str, pod: dict[str, Any]) -> None:
        labels = pod["metadata"]["labels"]
        role, address = labels[names.ROLE], f"{self._net}.{next(self._numbers)}"
        mounts = Mounts(self._gateway, pod)
        if role == names.ROUTER or mounts.peered:
            await mounts.sync()
            self._mounts[name] = mounts
        if role == names.WORKER:
            told = pod["metadata"].get("annotations", {}).get(names.LOADOUT, "")
            worker = Worker(name, labels[names.POOL], tuple(filter(None, told.split(","))))
            await worker.listen(f"{address}:9000", mounts.peers())
            self.workers[name] = worker
        elif role == names.ROUTER:
            self.routers[name] = await self._router(labels[names.CLUSTER], address, mounts)
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

    async def _router(self, cluster: str, address: str, mounts: Mounts) -> Router:
        told = mounts.arguments()
        ((path,), ca) = told["--cluster"], told.get("--tls-client-ca")
        router = Router(
            load_or_exit(Path(path)),
            workers=self._roster(cluster),
            predictor=None,
            grpc=f"{address}:8000",
            http=f"{address}:8080",
            tls=TlsFiles(
                certificate=Path(*told["--tls-cert"]),
                key=Path(*told["--tls-key"]),
                client_ca=Path(*ca) if ca else None,
            )
            if "--tls-cert" in told
            else None,
            keys=[Path(each) for each in told.get("--keys", ())],
            peers=mounts.peers(),
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
        if mounts := self._mounts.pop(name, None):
            mounts.close()


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
