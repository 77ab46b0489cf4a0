"""A whole worker on one event loop: engine, state, gRPC server, brought up and down in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from argus_core.spec import LatentStore, Variant
from argus_latents import open_store
from argus_protos.v1 import worker_pb2_grpc
from argus_rpc.server import Server
from argus_worker.device import Device
from argus_worker.engine import Engine
from argus_worker.families import find_family
from argus_worker.families.protocol import Family
from argus_worker.masters import Masters
from argus_worker.scoring import Scorer
from argus_worker.service import SERVICE, WorkerServicer
from argus_worker.shelf import Shelf
from argus_worker.worker import Worker


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a worker is told when it starts."""

    name: str
    """Unique within the cluster."""
    pool: str
    variants: Sequence[Variant]
    """All that it may be told to hold."""
    address: str = "127.0.0.1:0"
    """Port 0 takes a free one."""
    loadout: Sequence[str] = ()
    """Assigned at once; empty waits for an assignment."""
    device: str = "cpu"
    """As torch names it."""
    threads: int = 1
    """Of the engine, on the CPU; more than its share of cores makes all workers slower."""
    slots: int = 1
    """Images denoised at once."""
    host_bytes: int | None = None
    """Host memory for weights, beyond which variants not held are dropped; None: half of the
    machine's."""
    latent_store: LatentStore | None = None
    """Where starts are fetched from and captures kept; None for nowhere."""


class Host:
    """Starts and stops a worker; `families` finds adapters by name."""

    def __init__(
        self, settings: Settings, *, families: Callable[[str], type[Family]] = find_family
    ) -> None:
        self._settings = settings
        device = Device(settings.device)
        variants = {variant.name: variant for variant in settings.variants}
        self.worker = Worker(
            name=settings.name,
            pool=settings.pool,
            slots=settings.slots,
            variants=list(variants),
            device=device,
            on_serving=self._set_serving,
        )
        limit = settings.host_bytes
        self.masters = Masters(
            variants,
            device=device.torch,
            limit_bytes=psutil.virtual_memory().total // 2 if limit is None else limit,
            families=families,
        )
        self.engine = self.worker.engine = Engine(
            self.masters,
            device=device.torch,
            threads=settings.threads,
            slots=settings.slots,
            on_broken=self.worker.broke,
        )
        self._scorer = Scorer(
            self.worker.no_spare_time, device=settings.device, threads=settings.threads
        )
        self.shelf = _shelf(settings.latent_store)
        servicer = WorkerServicer(
            self.worker, name=settings.name, scorer=self._scorer, shelf=self.shelf
        )
        self._server = Server(
            address=settings.address,
            servicers=[(worker_pb2_grpc.add_WorkerServiceServicer_to_server, servicer)],
            services=[SERVICE],
        )

    async def start(self) -> int:
        """Listen, and begin to load the first loadout; returns the port.

        Raises:
            InvalidRequest: the loadout names unknown variants.
            Unavailable: the address cannot be had.
        """
        port = await self._server.start()
        self.engine.start()
        if self._settings.loadout:
            self.worker.assign(self._settings.loadout)
        return port

    async def stop(self, grace: float) -> None:
        """Refuse new work, give what runs `grace` seconds, then end."""
        ends = self.engine.clock() + grace
        await self.worker.stop(grace)
        # What finished in time still has its last message to send.
        await self._server.stop(1.0)
        self._scorer.close()
        if self.shelf is not None:
            await self.shelf.stop(max(0.1, ends - self.engine.clock()))
        await self.engine.stop(5.0)

    async def _set_serving(self, serving: bool) -> None:  # noqa: FBT001 - health's own call
        await self._server.set_serving(serving)


def _shelf(spec: LatentStore | None) -> Shelf | None:
    if spec is None:
        return None
    return Shelf(open_store(spec), time_to_live=spec.time_to_live_seconds, clock=time.time)


async def run(host: Host, stop: asyncio.Event, *, grace: float) -> None:
    """Wait for `stop`, then end the host within its grace."""
    await stop.wait()
    await host.stop(grace)
