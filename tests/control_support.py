"""Workers that do as the control loop tells them."""

from __future__ import annotations

import asyncio

from argus_core.errors import Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2
from router_support import READY, ScriptedWorker

LOADING, STARTING = cluster_pb2.WORKER_PHASE_LOADING, cluster_pb2.WORKER_PHASE_STARTING


class ObedientWorker(ScriptedWorker):
    """Holds what it is told, at once or when the test lets it; nothing before, without variants."""

    def __init__(self, name: str, *variants: str) -> None:
        super().__init__(name, *variants)
        self.automatic = True
        self.state.assigned.extend(variants)
        self.state.phase = READY if variants else STARTING
        self.told: list[tuple[str, ...]] = []
        self.refuses = 0
        """How many assignments it will not take."""
        self.ready = asyncio.Event()
        self.ready.set()

    async def Assign(self, request, context):
        if self.refuses:
            self.refuses -= 1
            raise Unavailable("not now")
        self.told.append(tuple(request.loadout))
        getattr(self.state.last_switch, "from").extend(self.state.loadout)
        self.state.generation += 1
        del self.state.assigned[:]
        self.state.assigned.extend(request.loadout)
        self.report(phase=LOADING, loadout=())
        self.loading = asyncio.create_task(self._load())
        return worker_pb2.AssignResponse(generation=self.state.generation)

    async def _load(self) -> None:
        await self.ready.wait()
        self.report(phase=READY, loadout=self.state.assigned)
