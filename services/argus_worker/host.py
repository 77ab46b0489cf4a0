"""A whole worker on one event loop: engine, state, gRPC server, brought up and down in order."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from argus_core.spec import LatentStore, Variant
from argus_core.stepping import StepTimes
from argus_latents import open_store
from argus_protos.v1 import worker_pb2_grpc
from argus_rpc.metrics import Exposition
from argus_rpc.peers import Peers
from argus_rpc.server import Server
from argus_worker.device import Device
from argus_worker.encodings import LIMIT, Encodings
from argus_worker.engine import STEP_FLOOR, Engine
from argus_worker.families import find_family
from argus_worker.families.protocol import Family
from argus_worker.masters import Masters
from argus_worker.metrics import Metrics
from argus_worker.scoring import Scorer
from argus_worker.service import SERVICE, WorkerServicer
from argus_worker.shelf import Shelf
from argus_worker.tuning import Tuner
from argus_worker.worker import Worker

log = logging.getLogger(__name__)

HALTED = 70
"""Exit status of a process whose engine has come to a halt: sysexits' EX_SOFTWARE."""
FAREWELL = 1.0
"""Seconds that streams have to hear of it."""


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
    encodings_bytes: int = LIMIT
    """Host memory for what prompts were encoded to; 0 keeps none."""
    compiled: Path | None = None
    """Folder of what was compiled, which outlives the process; None for torch's own."""
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    """By variant, what a step of an image of `step_pixels` took when it was profiled."""
    step_pixels: int = 1024 * 1024
    step_floor: float = STEP_FLOOR
    """Seconds that any step may take before the process gives itself up."""
    metrics_port: int | None = None
    """For Prometheus, on the address's host; 0 takes a free one, None is for none."""
    peers: Peers | None = None
    """Who may speak with it; None for whoever can reach it, without encryption."""
    probe: str | None = None
    """`HOST:PORT` for gRPC's health alone, of those who have no certificate; None for nowhere."""
    watch: float = 5.0
    """Seconds between looks at the device and the engine, at most."""
    latent_store: LatentStore | None = None
    """Where starts are fetched from and captures kept; None for nowhere."""


class Host:
    """Starts and stops a worker; `families` finds adapters by name, `device` is the settings'."""

    def __init__(
        self,
        settings: Settings,
        *,
        families: Callable[[str], type[Family]] = find_family,
        device: Device | None = None,
    ) -> None:
        self._settings = settings
        self._device = device = device or Device(settings.device)
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
        encodings = Encodings(limit_bytes=settings.encodings_bytes)
        self.engine = self.worker.engine = Engine(
            self.masters,
            device=device.torch,
            threads=settings.threads,
            slots=settings.slots,
            encodings=encodings,
            tuner=Tuner(variants, device=device.torch, compiled=settings.compiled),
            steps=StepTimes(settings.step_seconds, pixels=settings.step_pixels),
            step_floor=settings.step_floor,
            on_broken=self.worker.broke,
        )
        self.halted = asyncio.Event()
        """Set when nothing but a new process helps."""
        self._watching: asyncio.Task[None] | None = None
        self._scorer = Scorer(
            self.worker.no_spare_time, device=settings.device, threads=settings.threads
        )
        self.shelf = _shelf(settings.latent_store)
        self.metrics = Metrics(
            self.worker.state, self.shelf.tally if self.shelf else None, encodings
        )
        self.worker.loaded = self.metrics.loaded
        self._servicer = WorkerServicer(
            self.worker,
            name=settings.name,
            scorer=self._scorer,
            shelf=self.shelf,
            drawn=self.metrics.drawn,
        )
        self.exposition: Exposition | None = None
        """Of the metrics, once they are shown; None where nobody asked for them."""
        self._server = Server(
            address=settings.address,
            servicers=[(worker_pb2_grpc.add_WorkerServiceServicer_to_server, self._servicer)],
            services=[SERVICE],
            credentials=settings.peers.asked() if settings.peers else None,
            probe=settings.probe,
        )

    async def start(self) -> int:
        """Listen, and begin to load the first loadout; returns the port.

        Raises:
            InvalidRequest: the loadout names unknown variants.
            Unavailable: the address cannot be had.
        """
        port = await self._server.start()
        if self._settings.metrics_port is not None:
            host = self._settings.address.rpartition(":")[0]
            port_of_metrics = self._settings.metrics_port
            self.exposition = Exposition(self.metrics.registry, host, port_of_metrics)
        self.engine.start()
        self._watching = asyncio.ensure_future(self._watch())
        if self._settings.loadout:
            self.worker.assign(self._settings.loadout)
        return port

    async def stop(self, grace: float) -> None:
        """Refuse new work, give what runs `grace` seconds, then end."""
        if self._watching is not None:
            self._watching.cancel()
        ends = self.engine.clock() + grace
        await self.worker.stop(grace)
        self._servicer.close()
        # What finished in time still has its last message to send.
        await self._server.stop(1.0)
        self._scorer.close()
        if self.exposition is not None:
            await asyncio.to_thread(self.exposition.close)
        if self.shelf is not None:
            await self.shelf.stop(max(0.1, ends - self.engine.clock()))
        await self.engine.stop(5.0)

    async def give_up(self) -> None:
        """Tell that nothing is served any longer, and end what clients wait for."""
        await self._set_serving(False)
        await self._server.stop(FAREWELL)

    async def _watch(self) -> None:
        while not self.halted.is_set():
            await asyncio.sleep(min(self._settings.watch, self._settings.step_floor / 4))
            await asyncio.to_thread(self._device.look, self.engine.clock())
            self.worker.feel()
            if reason := self.engine.halted():
                self.worker.broke(reason)
                self.halted.set()

    async def _set_serving(self, serving: bool) -> None:  # noqa: FBT001 - health's own call
        await self._server.set_serving(serving)


def _shelf(spec: LatentStore | None) -> Shelf | None:
    if spec is None:
        return None
    return Shelf(open_store(spec), time_to_live=spec.time_to_live_seconds, clock=time.time)


async def run(
    host: Host, stop: asyncio.Event, *, grace: float, leave: Callable[[int], object] = os._exit
) -> None:
    """Wait for `stop`, then end the host within its grace; `leave` at once where it has halted."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, host.halted)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if stop.is_set():
        await host.stop(grace)
        return
    log.critical("giving up this process, to be started anew")
    await host.give_up()
    # A thread stuck in the device's driver would hold up every gentler way to end.
    leave(HALTED)
