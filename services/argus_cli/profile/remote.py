"""One worker, as a profile uses it: hold, draw, judge. Errors are the core's own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import grpc

from argus_cli.profile.ask import Judge, pixels
from argus_client.retry import Retry, retry_delay
from argus_client.workers import assign_and_wait, watch
from argus_core.errors import ArgusError, Unavailable
from argus_core.profile.document import ProfiledLevel
from argus_core.quality import Comparison
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_rpc.channel import open_channel
from argus_rpc.errors import from_rpc
from argus_rpc.peers import Peers

if TYPE_CHECKING:
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub

LONGEST = 600.0
"""Seconds that an image may take, or a worker to load a variant."""
ANSWER = 20.0
"""Seconds for a worker to tell its state."""
SCORING = 300.0
"""Seconds for images to be judged: a metric's weights may have to be loaded first."""
MOST_IMAGES = 16
"""That a worker judges at once."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What was drawn."""

    image: cluster_pb2.Image
    captured: tuple[worker_pb2.Latent, ...]
    seconds: float
    """From the call until the image was here."""


class Remote:
    """The worker that listens at `address`; close it."""

    def __init__(self, address: str, peers: Peers | None = None) -> None:
        """`peers`: how it is met; None for plainly."""
        self.address, self.peers = address, peers
        self._channel = open_channel(address, peers)
        self._stub: WorkerServiceAsyncStub = WorkerServiceStub(self._channel)
        self._held: tuple[str, ...] | None = None

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    def doubt(self) -> None:
        """Something went wrong: what it holds is not known any more."""
        self._held = None

    async def state(self) -> cluster_pb2.WorkerState:
        """What the worker says of itself now.

        Raises:
            Unavailable: it says nothing.
        """
        try:
            async with asyncio.timeout(ANSWER):
                async for state in watch(self.address, self.peers):
                    return state
        except TimeoutError as error:
            raise Unavailable(f"{self.address} does not tell its state") from error
        raise Unavailable(f"{self.address} stopped telling its state")

    async def hold(self, *variants: str) -> cluster_pb2.WorkerState | None:
        """Have it hold exactly these; its state where it had to load, None where it held them."""
        if self._held == variants:
            return None
        self._held = None
        state = await assign_and_wait(self.address, variants, timeout=LONGEST, peers=self.peers)
        self._held = variants
        return state

    async def draw(
        self,
        level: ProfiledLevel,
        prompt: str,
        *,
        seed: int,
        size: str,
        start: worker_pb2.Latent | None = None,
        capture: Sequence[int] = (),
    ) -> Picture:
        """A picture of the prompt at the level; from nothing where there is no `start`."""
        width, height = pixels(size)
        request = worker_pb2.ExecuteRequest(
            request_id=f"profile {level.name} {seed}",
            variant=level.variant,
            prompt=prompt,
            size=cluster_pb2.Size(width=width, height=height),
            schedule=cluster_pb2.Schedule(
                steps=level.steps,
                skipped_steps=start.step if start else 0,
                guidance_scale=level.guidance_scale,
                step_cache=level.step_cache or "",
            ),
            seed=seed,
            start=start,
            capture_steps=capture,
            format=cluster_pb2.IMAGE_FORMAT_PNG,
        )
        return await _patiently(partial(self._execute, request))

    async def judge(self, metric: str) -> Judge:
        """What the worker says of a metric.

        Raises:
            NotFound: it has none of this name.
        """
        said = await _patiently(partial(self._score, worker_pb2.ScoreRequest(metric=metric)))
        name = worker_pb2.Comparison.Name(said.comparison).removeprefix("COMPARISON_").lower()
        return Judge(
            comparison=Comparison(name),
            scale=said.scale or 1.0,
            needs_reference=said.needs_reference,
        )

    async def score(
        self,
        metric: str,
        prompt: str,
        images: Sequence[cluster_pb2.Image],
        references: Sequence[cluster_pb2.Image] = (),
    ) -> list[float]:
        """The metric's scores of the images, in their order."""
        scores: list[float] = []
        for at in range(0, len(images), MOST_IMAGES):
            request = worker_pb2.ScoreRequest(
                metric=metric,
                prompt=prompt,
                images=images[at : at + MOST_IMAGES],
                references=references[at : at + MOST_IMAGES],
            )
            scores += (await _patiently(partial(self._score, request))).scores
        return scores

    async def _execute(self, request: worker_pb2.ExecuteRequest) -> Picture:
        began = time.perf_counter()
        try:
            async for response in self._stub.Execute(request, timeout=LONGEST):
                if response.HasField("result"):
                    result = response.result
                    return Picture(
                        image=result.image,
                        captured=tuple(result.captured),
                        seconds=time.perf_counter() - began,
                    )
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        raise Unavailable(f"{self.address} ended without an image")

    async def _score(self, request: worker_pb2.ScoreRequest) -> worker_pb2.ScoreResponse:
        try:
            return await self._stub.Score(request, timeout=SCORING)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The call's result, tried a few times where the worker says that it may come right."""
    rng, retry, attempt = random.Random(), Retry(), 0
    while True:
        attempt += 1
        try:
            return await call()
        except ArgusError as error:
            delay = retry_delay(error, attempt=attempt, remaining=LONGEST, retry=retry, rng=rng)
            if delay is None:
                raise
        await asyncio.sleep(delay)
