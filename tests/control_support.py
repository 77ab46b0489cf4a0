"""The control loop over a real router, workers that do as it tells them, and a flood."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

from argus_control.control import Control
from argus_control.planning import Planning
from argus_control.plans import seats
from argus_core.errors import Unavailable
from argus_core.spread import spread_cluster
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.convert import duration
from argus_rpc.meanwhile import under_way
from router_support import READY, ScriptedWorker, cluster_of, collect, staged

LOADING, STARTING = cluster_pb2.WORKER_PHASE_LOADING, cluster_pb2.WORKER_PHASE_STARTING
PATIENCE = 60.0
SLOW = {"best": 2.0, "good": 1.5, "quick": 0.5}
"""Seconds that are told of the levels, so that a few requests a second are more than a worker with
each variant carries."""


class ObedientWorker(ScriptedWorker):
    """Holds what it is told, at once or when the test lets it; nothing before, without variants."""

    def __init__(self, name: str, *variants: str) -> None:
        super().__init__(name, *variants)
        self.automatic = True
        self.state.assigned.extend(variants)
        self.state.phase = READY if variants else STARTING
        self.told: list[tuple[str, ...]] = []
        self.expected: list[tuple[str, ...]] = []
        """What it was told that it will be told to hold."""
        self.refuses = 0
        """How many assignments it will not take."""
        self.ready = asyncio.Event()
        self.ready.set()

    async def Assign(self, request, context):
        if self.refuses:
            self.refuses -= 1
            raise Unavailable("not now")
        if not request.loadout:
            self.expected.append(tuple(request.prefetch))
            return worker_pb2.AssignResponse(generation=self.state.generation)
        self.told.append(tuple(request.loadout))
        getattr(self.state.last_switch, "from").extend(self.state.loadout)
        self.state.generation += 1
        del self.state.assigned[:]
        self.state.assigned.extend(request.loadout)
        self.report(phase=LOADING, loadout=())
        self.loading = asyncio.create_task(self._load())
        return worker_pb2.AssignResponse(generation=self.state.generation)

    def tell_switch(self, variant: str, *, seconds: float) -> None:
        """Say that it last went over to a variant, and how long that took."""
        switch = cluster_pb2.Switch(to=[variant], load=duration(seconds))
        getattr(switch, "from").append("another")
        self.state.last_switch.CopyFrom(switch)
        self.report()

    async def _load(self) -> None:
        await self.ready.wait()
        self.report(phase=READY, loadout=self.state.assigned)


@asynccontextmanager
async def controlled(mode, *, interval=0.2):
    """A router, `cpu-0` with large and `cpu-1` with tiny, and a loop that looks often."""
    cluster = cluster_of(seconds=SLOW)
    placed = seats(spread_cluster(cluster.spec))
    loadouts = {seat.worker: loadout for seat, loadout in placed.items()}
    workers = [ObedientWorker(name, *loadout) for name, loadout in loadouts.items()]
    async with staged(*workers, cluster=cluster) as stage:
        planning = Planning(mode=mode, interval=interval, steady=1.0)
        control = Control(cluster.spec, {s.worker: s for s in placed}, loadouts, planning)
        control.router_is_up(stage.grpc)
        control.crew.meet({worker.state.worker: worker.address for worker in workers})
        async with under_way(control.run()):
            yield stage, control, workers


@asynccontextmanager
async def flooded(stage):
    """More comes than all can carry."""

    async def ask():
        while True:
            with suppress(Exception):
                await collect(stage.draw())
            await asyncio.sleep(0.05)  # between requests, that the router may do other things

    async with under_way(*(ask() for _ in range(6))):
        yield
