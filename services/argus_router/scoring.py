"""Judges a sample of the images served, on worker time that nobody else wants.

An image is held against the best level's image of the same prompt, seed and size, which is drawn
for that; what comes out is a label for the predictor. Images of the best level itself are not
judged: they are what quality is relative to.

Model: lives on the router's event loop; one task, one image at a time, the oldest first.
Invariants:

- it begins only while nothing waits and a worker that holds the best level's variant does nothing;
- as soon as something waits, what it has under way is cancelled, which the worker heeds at its next
  step; the image is judged again later;
- images that wait to be judged are bounded in number and bytes; more are not taken.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import grpc

from argus_core.errors import ArgusError, Unavailable
from argus_core.quality import Comparison, relative
from argus_core.spec import ClusterSpec, Level
from argus_protos.v1 import cluster_pb2, predictor_pb2, worker_pb2
from argus_router.attempt import drawing
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_rpc.errors import from_rpc

if TYPE_CHECKING:
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub

log = logging.getLogger(__name__)

_MOST_IMAGES, _MOST_BYTES = 32, 64 * 1024 * 1024
"""Of images that wait to be judged."""
_PATIENCE = 120.0
"""Seconds that drawing a reference, or a score, may take."""
_REST = 0.25
"""Seconds after an interruption until it is looked again for a worker with time."""
_MOST_TRIES = 20
"""Times that judging an image is begun, however often real work comes first."""


class Judged(StrEnum):
    """What became of an image of the sample."""

    SCORED = "scored"
    DROPPED = "dropped"
    """Too many waited already."""
    INTERRUPTED = "interrupted"
    """Real work came; it is tried again."""
    FAILED = "failed"


@dataclass(eq=False, kw_only=True)
class _Sample:
    job: Job
    image: cluster_pb2.Image
    reference: cluster_pb2.Image | None = None
    """The best level's, once it is drawn."""
    tries: int = 0


class Scoring:
    """See the module."""

    def __init__(
        self,
        spec: ClusterSpec,
        *,
        workers: Callable[[], Iterable[Worker]],
        waiting: Callable[[], int],
        label: Callable[[predictor_pb2.Label], Awaitable[None]],
        freed: Callable[[], None],
        rng: random.Random,
        tell: Callable[[Judged], None] = lambda _judged: None,
    ) -> None:
        """Nothing is judged until `run`.

        Args:
            spec: says how many are judged, and by which metric.
            workers: all there are.
            waiting: how many images wait for a worker.
            label: gives the predictor a label; may raise an `ArgusError`.
            freed: hears that a worker may be given real work again.
            rng: draws the sample.
            tell: hears what becomes of each image.
        """
        self._share, self._metric = spec.predictor.scored_share, spec.predictor.metric
        self._best = best_level(spec)
        self._workers, self._waiting = workers, waiting
        self._label, self._freed = label, freed
        self._rng, self._tell = rng, tell
        self._kept: deque[_Sample] = deque()
        self._bytes = 0
        self._turn = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        """Who is asked now."""
        self._said = ""

    def served(self, job: Job, image: cluster_pb2.Image) -> None:
        """An image was served: perhaps it is of the sample."""
        predicted = job.model_version and not job.terms.request.negative_prompt
        if not predicted or job.settled.level == self._best or self._rng.random() >= self._share:
            return
        size = len(image.data)
        if len(self._kept) >= _MOST_IMAGES or self._bytes + size > _MOST_BYTES:
            self._tell(Judged.DROPPED)
            return
        self._kept.append(_Sample(job=job, image=image))
        self._bytes += size
        self._turn.set()

    def looked(self) -> None:
        """What waits, or what workers do, may have changed."""
        if self._worker is not None and self._work is not None:
            if self._waiting() or self._worker.running:
                self._work.cancel()
        elif self._kept and not self._waiting():
            self._turn.set()

    async def run(self) -> None:
        """Judge what is kept whenever nothing else wants the workers; for ever."""
        while True:
            await self._turn.wait()
            self._turn.clear()
            while self._kept and (worker := self._idle()) is not None:
                if not await self._try(self._kept[0], worker):
                    break

    def _idle(self) -> Worker | None:
        if self._waiting():
            return None
        able = [w for w in self._workers() if self._best.variant in w.loadout and w.idle]
        return min(able, key=lambda worker: worker.address, default=None)

    async def _try(self, sample: _Sample, worker: Worker) -> bool:
        """Judge an image; whether it is done with."""
        sample.tries += 1
        self._worker = worker
        self._work = asyncio.create_task(self._judge(sample, worker), name="scoring")
        try:
            await asyncio.wait({self._work})
        finally:
            # Of what ends this task too.
            self._work.cancel()
        outcome, self._work, self._worker = _outcome(self._work), None, None
        if isinstance(outcome, Unavailable) and sample.tries < _MOST_TRIES:
            self._tell(Judged.INTERRUPTED)
            # Where it was the worker that had no time, nobody may tell when it has.
            asyncio.get_running_loop().call_later(_REST, self._turn.set)
            return False
        self._kept.popleft()
        self._bytes -= len(sample.image.data)
        self._tell(Judged.SCORED if outcome is None else Judged.FAILED)
        if outcome is not None and str(outcome) != self._said:
            self._said = str(outcome)
            log.warning("an image served could not be judged: %s", outcome)
        return True

    async def _judge(self, sample: _Sample, worker: Worker) -> None:
        job = sample.job
        if sample.reference is None:
            sample.reference = await self._draw(worker, job)
        quality = await self._compare(worker.stub, sample, sample.reference)
        start = job.start
        label = predictor_pb2.Label(
            prompt=job.terms.request.prompt,
            level=job.settled.level.name,
            quality=quality,
            predicted_quality=job.settled.quality,
            similarity=None if start is None else start.similarity,
            metric=self._metric,
            model_version=job.model_version,
        )
        await self._label(label)

    async def _draw(self, worker: Worker, job: Job) -> cluster_pb2.Image:
        """The best level's image; nothing else is bound to the worker meanwhile."""
        worker.judging = True
        try:
            return await _draw(worker.stub, job, self._best)
        finally:
            worker.judging = False
            self._freed()

    async def _compare(
        self, stub: WorkerServiceAsyncStub, sample: _Sample, reference: cluster_pb2.Image
    ) -> float:
        """Quality of an image held against its reference, by the metric; 0 to 1."""
        prompt = sample.job.terms.request.prompt
        request = worker_pb2.ScoreRequest(metric=self._metric, prompt=prompt)
        # Without images the worker says what the metric is like.
        if (await _score(stub, request)).needs_reference:
            request.references.extend([reference, reference])
        request.images.extend([sample.image, reference])
        told = await _score(stub, request)
        if len(told.scores) != 2:
            raise ArgusError(f"{len(told.scores)} scores of 2 images by {self._metric}")
        comparison = _comparison(told.comparison)
        return relative(comparison, told.scores[:1], told.scores[1:], scale=told.scale)


def best_level(spec: ClusterSpec) -> Level:
    """What quality is relative to; of equals the first. Levels with skipped steps never are."""
    full = [level for level in spec.ladder if not level.skipped_steps] or spec.ladder
    return max(full, key=lambda level: level.quality)


async def _draw(stub: WorkerServiceAsyncStub, job: Job, level: Level) -> cluster_pb2.Image:
    call = stub.Execute(drawing(job, level, _PATIENCE), timeout=_PATIENCE)
    try:
        async for event in call:
            if event.WhichOneof("event") == "result":
                return event.result.image
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    finally:
        call.cancel()
    raise Unavailable("the worker ended the call without a result")


async def _score(
    stub: WorkerServiceAsyncStub, request: worker_pb2.ScoreRequest
) -> worker_pb2.ScoreResponse:
    try:
        return await stub.Score(request, timeout=_PATIENCE)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


def _comparison(told: worker_pb2.Comparison.ValueType) -> Comparison:
    try:
        name = worker_pb2.Comparison.Name(told).removeprefix("COMPARISON_")
        return Comparison(name.lower())
    except ValueError as error:
        raise ArgusError(f"a metric that compares in no known way ({told})") from error


def _outcome(work: asyncio.Task[None]) -> ArgusError | None:
    if work.cancelled():
        return Unavailable("real work came first")
    error = work.exception()
    if error is None or isinstance(error, ArgusError):
        return error
    log.error("judging an image broke", exc_info=error)
    return ArgusError(f"internal error: {error}")
