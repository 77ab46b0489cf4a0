"""One request under way: its jobs, and the events that its client has not read yet.

The client may be slower than the workers. Of the progress that it has not read only the latest
of each image is kept, so that what waits here is bounded by the request's count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from argus_core.errors import ArgusError
from argus_protos.v1 import cluster_pb2, images_pb2, worker_pb2
from argus_router import wire
from argus_router.job import Job
from argus_rpc.convert import duration, seconds

Event = images_pb2.GenerateResponse


class Drawing:
    """The sink of a request's jobs, and the source of its client's events.

    `on_result` and `on_failure` are called once for each job that ends, except for cancelled
    ones.
    """

    def __init__(
        self,
        *,
        predict_seconds: float,
        clock: Callable[[], float],
        on_result: Callable[[Job, images_pb2.Timing, cluster_pb2.Image], None],
        on_failure: Callable[[Job, ArgusError], None],
    ) -> None:
        self._predict_seconds, self._clock = predict_seconds, clock
        self._on_result, self._on_failure = on_result, on_failure
        self._events: list[Event] = []
        self._error: ArgusError | None = None
        self._news = asyncio.Event()
        self._open: set[Job] = set()

    def expect(self, jobs: Sequence[Job]) -> None:
        """The jobs that it is about; to be called before any of them is submitted."""
        self._open = set(jobs)

    @property
    def open(self) -> frozenset[Job]:
        """Jobs that have not ended."""
        return frozenset(self._open)

    async def events(self) -> AsyncGenerator[Event]:
        """What happens, as it happens, until every image is there.

        Raises:
            ArgusError: an image could not be had; what was drawn before was given first.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            events, self._events = self._events, []
            for event in events:
                yield event
            if self._error is not None:
                raise self._error
            if not self._open and not self._events:
                return

    def accepted(self, job: Job) -> None:
        """See `Sink`."""
        accepted = images_pb2.Accepted(request_id=job.request_id, decision=wire.job_decision(job))
        self._tell(Event(index=job.index, accepted=accepted))

    def progressed(self, job: Job, progress: worker_pb2.ExecuteProgress) -> None:
        """See `Sink`; takes the place of earlier progress that is still unread.

        An unread preview stays where there is no newer one.
        """
        if not (job.terms.request.progress or progress.HasField("preview")):
            return
        unread = [e.progress for e in self._events if _is_progress(e, job.index)]
        previews = [p.preview for p in unread if p.HasField("preview")]
        preview = progress.preview if progress.HasField("preview") else next(iter(previews), None)
        told = images_pb2.Progress(step=progress.step, steps=progress.steps, preview=preview)
        self._events = [e for e in self._events if not _is_progress(e, job.index)]
        self._tell(Event(index=job.index, progress=told))

    def finished(self, job: Job, result: worker_pb2.ExecuteResult) -> None:
        """See `Sink`."""
        timing = self._timing(job, result)
        self._open.discard(job)
        self._on_result(job, timing, result.image)
        drawn = images_pb2.Result(
            decision=wire.job_decision(job),
            timing=timing,
            seed=job.seed,
            worker=job.worker,
            schedule=wire.schedule(job.settled.level),
            attempts=job.attempts,
        )
        event = Event(index=job.index, result=drawn)
        # By itself, as it may be large: what is given in making a message is copied at each level.
        event.result.image.CopyFrom(result.image)
        self._tell(event)

    def failed(self, job: Job, error: ArgusError) -> None:
        """See `Sink`; the first failure is the request's."""
        self._open.discard(job)
        self._on_failure(job, error)
        self._error = self._error or error
        self._news.set()

    def _timing(self, job: Job, result: worker_pb2.ExecuteResult) -> images_pb2.Timing:
        waited = job.began - job.arrived - self._predict_seconds
        return images_pb2.Timing(
            total=duration(self._clock() - job.arrived),
            predict=duration(self._predict_seconds),
            queue=duration(max(0.0, waited) + seconds(result.queue)),
            encode=result.encode,
            denoise=result.denoise,
            decode=result.decode,
        )

    def _tell(self, event: Event) -> None:
        self._events.append(event)
        self._news.set()


def _is_progress(event: Event, index: int) -> bool:
    return event.index == index and event.WhichOneof("event") == "progress"
