"""Scripted workers on loopback that draw nothing: an image says what it was asked for."""

from __future__ import annotations

import asyncio
import json
import zlib
from contextlib import asynccontextmanager, suppress

import grpc

from argus_protos.v1 import cluster_pb2, worker_pb2, worker_pb2_grpc
from argus_rpc.convert import duration


class ScriptedWorker(worker_pb2_grpc.WorkerServiceServicer):
    """Holds what it is told, and answers at once. `refuse` is asked before each image."""

    def __init__(
        self, name="w", *, pool="cpu", device="cpu", slots=4, needs_reference=False, lingers=0.0
    ):
        """`lingers`: seconds, at most, that an image waits for another to be drawn beside it."""
        self.name, self.pool, self.device, self.slots = name, pool, device, slots
        self.needs_reference = needs_reference
        self.held, self.generation, self.drawn, self.judged = [], 0, [], []
        self.at_once = self.most_at_once = 0
        self.refuse = lambda _request: None
        self.lost, self._lingers, self._beside = False, lingers, asyncio.Event()

    def state(self):
        state = cluster_pb2.WorkerState(
            worker=self.name, pool=self.pool, phase=cluster_pb2.WORKER_PHASE_READY,
            loadout=self.held, assigned=self.held, generation=self.generation, slots=self.slots,
        )  # fmt: skip
        state.health.device, state.memory.host_bytes = self.device, 1000 + len(self.drawn)
        state.last_switch.load.CopyFrom(duration(0.25))
        return state

    async def Watch(self, request, context):
        if self.lost:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        yield worker_pb2.WatchResponse(state=self.state())
        await asyncio.Event().wait()

    async def Assign(self, request, context):
        if self.lost:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        self.held, self.generation = list(request.loadout), self.generation + 1
        return worker_pb2.AssignResponse(generation=self.generation)

    async def Execute(self, request, context):
        self.refuse(request)
        if self.lost:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        if request.variant not in self.held:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not held")
        self.drawn.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self._draw()
        self.at_once -= 1
        start = request.start.data.decode() if request.HasField("start") else None
        told = [request.variant, request.schedule.steps, request.prompt, request.seed, start]
        image = cluster_pb2.Image(data=json.dumps(told).encode())
        captured = [
            worker_pb2.Latent(step=step, data=f"{step} of {request.prompt} {request.seed}".encode())
            for step in request.capture_steps
        ]
        yield worker_pb2.ExecuteResponse(
            result=worker_pb2.ExecuteResult(image=image, captured=captured)
        )

    async def _draw(self):
        if self.at_once > 1:
            self._beside.set()
        else:
            self._beside.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._lingers):
                await self._beside.wait()

    async def Score(self, request, context):
        if request.metric != "shapes":
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is only shapes")
        if not self.held:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "holds nothing")
        self.judged.append(request)
        return worker_pb2.ScoreResponse(
            scores=[zlib.crc32(image.data) % 1000 / 1000 for image in request.images],
            comparison=worker_pb2.COMPARISON_DIFFERENCE,
            scale=1.0,
            needs_reference=self.needs_reference,
        )


@asynccontextmanager
async def listening(*workers):
    """Serve the workers; gives the address of each."""
    servers, addresses = [], []
    for worker in workers:
        server = grpc.aio.server()
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(worker, server)
        addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
        await server.start()
        servers.append(server)
    try:
        yield addresses
    finally:
        for server in servers:
            await server.stop(0)
