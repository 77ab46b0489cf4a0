"""The workers as the router sees them.

Model: one `Worker` per address, each with a channel and a task that watches it. A worker's own
state, as its watch last told, is the truth; beside it the router counts what it has handed over
itself, since a report may lag behind. A worker can be given work when it says that it is
ready, is not doubted, and has a slot free by both counts.

Doubt: a worker that lost a request is doubted until a new watch tells its state; one that
refused a request is left alone for a moment, longer each time in a row. Both end by
themselves, so that nothing waits for ever and nothing spins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterable, Iterator
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING

import grpc

from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_router.job import Job
from argus_router.stream import Ended, Stream, Unsupported
from argus_rpc import tracing
from argus_rpc.channel import Opened
from argus_rpc.errors import from_rpc
from argus_rpc.handshake import meaning_of
from argus_rpc.meanwhile import call_off
from argus_rpc.peers import Peers
from argus_rpc.roster import Names, Roster

if TYPE_CHECKING:
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub

log = logging.getLogger(__name__)

_SILENCE = 25.0
"""Seconds without a report after which a watch is given up; workers report every ten."""
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
"""Seconds between attempts to watch: doubled each time."""
_FIRST_REST, _LONGEST_REST = 0.02, 1.0
"""Seconds for which a worker that refused is left alone: doubled each time in a row."""


class Worker:
    """One worker: its address, its last report, and what this router has running there."""

    def __init__(
        self, address: str, *, clock: Callable[[], float], peers: Peers | None = None
    ) -> None:
        """`peers`: how it is met; None for plainly."""
        self.address, self._peers = address, peers
        self.running: dict[Job, None] = {}
        self.finishing: set[Job] = set()
        """Of those, whose last step is done: they hold no slot, and their image is yet to come."""
        self.doubted = False
        self.ejected = False
        """Whether it gets nothing for a while, as it failed too often."""
        self.warming = True
        """Whether its first image since it came, came back or switched is still to be drawn: alone,
        however many slots there are."""
        self.resting_until = 0.0
        self.retired = False
        self._state: cluster_pb2.WorkerState | None = None
        self._serves = False
        self._held: tuple[str, ...] = ()
        self.alike: Hashable = None
        """Its pool, what it holds, and of which spaces its latents are: the same of all that draw
        like it."""
        self._slots, self._in_flight = 1, 0
        self.most: int | None = None
        """Images at once that gain with its loadout; None for as many as it takes."""
        self.judging = False
        """Whether it draws what nobody waits for."""
        self._refusals = 0
        self._clock = clock
        self._each, self._each_at = 0.0, 0.0
        """Seconds that each image which ran all the time would have had, and when that was so."""
        self._opened: Opened | None = None
        self._stream: Stream | None = None
        self._takes_many = True
        """Whether it is of a version that has images over one stream, as far as is known."""

    @property
    def state(self) -> cluster_pb2.WorkerState | None:
        """Its last report; None where it is not there."""
        return self._state

    @state.setter
    def state(self, state: cluster_pb2.WorkerState | None) -> None:
        """Read once what is asked of it at every turn."""
        before = self._held if self._serves and self._state is not None else None
        self._state = state
        # Who comes back may be of another version.
        self._takes_many = self._takes_many or state is None
        self._serves = state is not None and state.phase == cluster_pb2.WORKER_PHASE_READY
        self._held = tuple(filter(None, state.loadout)) if state is not None else ()
        spaces = tuple(self.space(variant) for variant in self._held)
        self.alike = (state.pool if state is not None else "", self._held, spaces)
        self._slots = max(1, state.slots) if state is not None else 1
        self._in_flight = state.in_flight if state is not None else 0
        if before != self._held or not self._serves:
            self.warming = True

    @cached_property
    def stub(self) -> WorkerServiceAsyncStub:
        """Of its service; its channel is opened when it is first used."""
        self._opened = Opened(self.address, self._peers)
        return WorkerServiceStub(self._opened.channel)

    async def execute(
        self, request: worker_pb2.ExecuteRequest, *, timeout: float
    ) -> AsyncGenerator[worker_pb2.ExecuteResponse]:
        """Have it draw an image within so many seconds: what it tells of that, until the result.

        By a call of its own what is traced, and where the worker takes one image a call.

        Raises:
            Ended: it failed, or was lost.
        """
        metadata = tracing.onward()
        if self._takes_many and not metadata and not tracing.is_on():
            if self._stream is None:
                self._stream = Stream(self.stub)
            try:
                async with aclosing(self._stream.execute(request, timeout=timeout)) as events:
                    async for event in events:
                        yield event
            except Unsupported:
                self._takes_many = False
            else:
                return
        async with aclosing(_alone(self.stub, request, timeout, metadata)) as alone:
            async for event in alone:
                yield event

    @property
    def name(self) -> str:
        """Its own name, or its address until it has told."""
        return self.state.worker if self.state else self.address

    @property
    def ready(self) -> bool:
        """Whether it serves its loadout, as far as is known."""
        return self._serves and not (self.doubted or self.retired or self.ejected)

    @property
    def loadout(self) -> tuple[str, ...]:
        """Variants that it can be asked for now."""
        return self._held if self.ready else ()

    def space(self, variant: str) -> str:
        """Names the space that its latents of a variant are in; empty where it does not tell."""
        return self.state.latent_spaces.get(variant, "") if self.state else ""

    @property
    def slots(self) -> int:
        """Requests that it takes at once, as far as that gains."""
        return self._slots if self.most is None else min(self._slots, self.most)

    @property
    def drawing(self) -> Iterable[Job]:
        """What holds a slot there."""
        if not self.finishing:
            return self.running
        return [job for job in self.running if job not in self.finishing]

    @property
    def _drawn(self) -> int:
        return len(self.running) - len(self.finishing)

    @property
    def free(self) -> int:
        """Requests that it would take now."""
        if not self.ready or self.judging or (self.resting_until and self.rest > 0):
            return 0
        if self.warming:
            return max(0, 1 - max(len(self.running), self._in_flight))
        return max(0, self.slots - max(self._drawn, self._in_flight))

    @property
    def idle(self) -> bool:
        """Whether it does nothing at all."""
        return self.free > 0 and not self.running and not self._in_flight

    @property
    def rest(self) -> float:
        """Seconds for which it is still left alone."""
        return max(0.0, self.resting_until - self._clock())

    def serves_as(self, state: cluster_pb2.WorkerState) -> bool:
        """Whether a report tells nothing new but of how much is in flight."""
        before = self._state
        return (
            before is not None
            and not self.doubted
            and (before.phase, before.generation, before.slots, before.pool)
            == (state.phase, state.generation, state.slots, state.pool)
            and before.loadout == state.loadout
            and before.latent_spaces == state.latent_spaces
        )

    def each(self, now: float) -> float:
        """Seconds that an image would have had of it so far, had it run all the time.

        Those that run have equal parts of its time, those that are but decoded and sent among them:
        all parts together are the time that passed. Ask before one more runs, and before one less.
        """
        sharing = max(len(self.running), min(self._in_flight, self._slots), 1)
        self._each += (now - self._each_at) / sharing
        self._each_at = now
        return self._each

    def refused(self) -> float:
        """Leave it alone for the seconds returned; refusals while it is, count as one."""
        if self.rest > 0:
            return self.rest
        rest = min(_FIRST_REST * 2.0**self._refusals, _LONGEST_REST)
        self._refusals = min(self._refusals + 1, 16)
        self.resting_until = self._clock() + rest
        return rest

    def began(self) -> None:
        """It took a request: the next refusal is a first one."""
        self._refusals = 0

    async def renew(self) -> None:
        """Have its next connection be of the certificate that there is now, where it is another.

        A channel on which something runs is left alone: it has a connection, or ends what runs.
        """
        if self.running or self._opened is None or not self._opened.stale:
            return
        stream, opened = self._stream, self._opened
        self._stream = self._opened = None
        self.__dict__.pop("stub", None)
        await _closed(stream, opened)

    async def close(self) -> None:
        """Close its channel; calls still running there are cancelled."""
        await _closed(self._stream, self._opened)


async def _closed(stream: Stream | None, opened: Opened | None) -> None:
    if stream is not None:
        await stream.close()
    if opened is not None:
        await opened.channel.close()


class Fleet:
    """All workers on the roster, each watched. `changed` is called after every change."""

    def __init__(
        self,
        roster: Roster,
        *,
        clock: Callable[[], float],
        changed: Callable[[], None],
        peers: Peers | None = None,
    ) -> None:
        """`peers`: how workers are met; None for plainly."""
        self._roster, self._clock, self._changed = roster, clock, changed
        self._peers = peers
        self.gone: Callable[[Worker], None] = lambda _worker: None
        """Hears of workers that have left the roster."""
        self.freed: Callable[[Worker], None] = lambda _worker: changed()
        """Hears of a worker that may have a slot free, where nothing else has changed."""
        self._workers: dict[str, Worker] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[Worker] = set()
        self._following: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Workers on the roster."""
        return len(self._workers)

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers.values()))

    def start(self) -> None:
        """Begin to follow the roster."""
        self._following = asyncio.create_task(self._follow(), name="roster")

    async def close(self) -> None:
        """Stop watching, and close every channel."""
        tasks = [*self._watches.values(), *([self._following] if self._following else [])]
        await call_off(tasks)
        for worker in [*self._workers.values(), *self._leaving]:
            await worker.close()

    def doubt(self, worker: Worker) -> None:
        """Trust nothing that it told until it has told anew: it lost a request."""
        worker.doubted = True
        if watch := self._watches.get(worker.address):
            watch.cancel()
            self._watch(worker)
        self._changed()

    def eject(self, worker: Worker, seconds: float, returned: Callable[[], None]) -> None:
        """Give a worker nothing for so long, whatever it tells; then `returned` is called."""
        worker.ejected = True

        def back() -> None:
            worker.ejected, worker.warming = False, True
            if not worker.retired:
                returned()
                self._changed()

        asyncio.get_running_loop().call_later(seconds, back)
        self._changed()

    async def release(self, worker: Worker) -> None:
        """Close a worker that has left the roster, once nothing runs there."""
        if worker in self._leaving and not worker.running:
            self._leaving.discard(worker)
            await worker.close()

    async def _follow(self) -> None:
        async for addresses in self._roster:
            for address in sorted(addresses - self._workers.keys()):
                worker = Worker(address, clock=self._clock, peers=self._peers)
                self._workers[address] = worker
                self._watch(worker)
            for address in sorted(self._workers.keys() - addresses):
                await self._retire(address)
            self._changed()

    async def _retire(self, address: str) -> None:
        worker = self._workers.pop(address)
        worker.retired = True
        self.gone(worker)
        self._watches.pop(address).cancel()
        self._leaving.add(worker)
        await self.release(worker)

    def _watch(self, worker: Worker) -> None:
        name = f"watch {worker.address}"
        self._watches[worker.address] = asyncio.create_task(self._keep_watch(worker), name=name)

    async def _keep_watch(self, worker: Worker) -> None:
        wait, said = _FIRST_WAIT, ""
        while True:
            try:
                async for state in _reports(worker):
                    wait, said = _FIRST_WAIT, ""
                    self._told(worker, state)
            except TimeoutError:
                pass
            except grpc.aio.AioRpcError as error:
                # One that is starting, or gone, is no news; one that refuses us is.
                if (why := meaning_of(error.details() or "")) and why != said:
                    log.warning("worker at %s cannot be spoken with: %s", worker.address, why)
                    said = why
            self._lost(worker)
            await worker.renew()
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _told(self, worker: Worker, state: cluster_pb2.WorkerState) -> None:
        if worker.state is None:
            log.info("worker %s at %s is there", state.worker, worker.address)
        same = worker.serves_as(state)
        if worker.doubted:
            worker.warming = True
        worker.state, worker.doubted = state, False
        if same:
            self.freed(worker)
        else:
            self._changed()

    def _lost(self, worker: Worker) -> None:
        if worker.state is not None:
            log.warning("worker %s at %s is gone", worker.name, worker.address)
            if isinstance(self._roster, Names):
                self._roster.again()
            worker.state = None
            self._changed()


async def _alone(
    stub: WorkerServiceAsyncStub,
    request: worker_pb2.ExecuteRequest,
    timeout: float,
    metadata: tracing.Metadata | None,
) -> AsyncGenerator[worker_pb2.ExecuteResponse]:
    """An image by a call of its own.

    Raises:
        Ended: it failed, or was lost.
    """
    call = stub.Execute(request, timeout=timeout, metadata=metadata)
    events = aiter(call)
    try:
        async for event in events:
            yield event
    except grpc.aio.AioRpcError as error:
        raise Ended(error.code().name, from_rpc(error)) from error
    finally:
        call.cancel()
        # A span of the call ends with its events, which are a generator whatever typing says.
        await events.aclose()  # type: ignore[attr-defined]


async def _reports(worker: Worker) -> AsyncIterator[cluster_pb2.WorkerState]:
    """What a worker tells, until it stops or falls silent (TimeoutError)."""
    call = worker.stub.Watch(worker_pb2.WatchRequest())
    try:
        while True:
            async with asyncio.timeout(_SILENCE):
                response = await call.read()
            if not isinstance(response, worker_pb2.WatchResponse):
                return
            yield response.state
    finally:
        call.cancel()
