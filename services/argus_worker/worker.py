"""What a worker is doing: its phase, loadout and running work, and how assignments change it.

Model: all of it lives on the event loop. An assignment is a task: wait until nothing runs,
have the engine load, report. A newer assignment makes older tasks give up.

Invariants: phases change by `argus_core.states` only; work is admitted in phase READY only and
never beyond `slots`; `in_flight` counts jobs that hold a slot, whatever became of their clients,
and a job holds it until its last step is done; nothing runs, and nothing is decoded, while the
engine loads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from argus_core.errors import InvalidRequest, NotHeld, Unavailable, Violation
from argus_core.states import WorkerEvent, WorkerPhase, next_phase
from argus_protos.v1 import cluster_pb2
from argus_rpc.convert import duration, now, seconds
from argus_worker.device import Device
from argus_worker.engine import Engine
from argus_worker.feed import Feed
from argus_worker.job import Job
from argus_worker.masters import Held
from argus_worker.order import Order
from argus_worker.tuning import Tuned

log = logging.getLogger(__name__)

HEARTBEAT = 9.0
"""Seconds between states where nothing changes; the contract says at most ten."""
BUSY_RETRY = 0.1
"""Seconds after which a worker whose slots are full may have a free one."""
SWITCH_RETRY = 1.0
"""Seconds after which a worker that is switching may be ready."""


class Worker:
    """One device's loadout and work."""

    def __init__(
        self,
        *,
        name: str,
        pool: str,
        slots: int,
        variants: Sequence[str],
        device: Device,
        on_serving: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._name, self._pool, self._slots = name, pool, slots
        self._known, self._device, self._on_serving = tuple(variants), device, on_serving
        self.phase, self._reason = WorkerPhase.STARTING, "no loadout was assigned yet"
        self._assigned: tuple[str, ...] = ()
        self._held: dict[str, Held] = {}
        self._generation, self._in_flight, self._unended = 0, 0, 0
        self._last_switch: cluster_pb2.Switch | None = None
        self._tuned: Mapping[str, Tuned] = {}
        self._resident: tuple[str, ...] = ()
        self._unwell = False
        self._next: tuple[str, ...] = ()
        self._idle = asyncio.Event()
        self._idle.set()
        self._feed: Feed[cluster_pb2.WorkerState] = Feed()
        self._tasks: set[asyncio.Task[None]] = set()
        self.engine: Engine
        self.loaded: Callable[[float], None] = lambda _seconds: None
        """Hears how long each loadout took to load."""

    def state(self) -> cluster_pb2.WorkerState:
        """The worker's account of itself, now."""
        state = cluster_pb2.WorkerState(
            worker=self._name,
            pool=self._pool,
            phase=getattr(cluster_pb2, f"WORKER_PHASE_{self.phase.name}"),
            reason=self._reason,
            loadout=self._held,
            assigned=self._assigned,
            generation=self._generation,
            in_flight=self._in_flight,
            slots=self._slots,
            health=self._device.health(),
            memory=self._device.memory(),
            reported_at=now(),
            latent_spaces={name: held.latent_space for name, held in self._held.items()},
            tunings={name: _tuning(self._tuned[name]) for name in self._held},
        )
        if self._last_switch is not None:
            state.last_switch.CopyFrom(self._last_switch)
        return state

    async def watch(self) -> AsyncIterator[cluster_pb2.WorkerState]:
        """The state now, after every change, and every `HEARTBEAT` seconds."""
        with self._feed.subscribe() as watcher:
            yield self.state()
            while not watcher.ended:
                yield await watcher.next(HEARTBEAT) or self.state()

    def held(self, variant: str) -> Held:
        """The variant, if work for it is welcome.

        Raises:
            InvalidRequest: no variant is named.
            Unavailable: the worker is not ready, or has no free slot.
            NotHeld: the loadout lacks the variant.
        """
        if not variant:
            raise InvalidRequest.one("variant", "must not be empty")
        if self.phase is not WorkerPhase.READY:
            raise Unavailable(
                f"worker {self._name} is {self.phase}: {self._reason}", retry_after=SWITCH_RETRY
            )
        if variant not in self._held:
            raise NotHeld(f"worker {self._name} holds {', '.join(self._held)}, not {variant!r}")
        return self._held[variant]

    def no_spare_time(self) -> str:
        """Why nothing but drawing is welcome now; empty where the worker idles. From any thread."""
        if self.phase is not WorkerPhase.READY:
            return f"worker {self._name} is {self.phase}: {self._reason}"
        return f"worker {self._name} draws {self._unended} images" if self._unended else ""

    def begin(self, order: Order, *, deadline: float) -> Job:
        """Have an order drawn, in a slot of its own.

        Raises:
            Unavailable: no slot is free.
        """
        if self._in_flight >= self._slots:
            raise Unavailable(
                f"all {self._slots} slots of worker {self._name} are busy", retry_after=BUSY_RETRY
            )
        job = self.engine.submit(order, deadline=deadline, on_free=self._freed, on_end=self._ended)
        self._in_flight += 1
        self._unended += 1
        self._idle.clear()
        self._tell()
        return job

    def assign(self, loadout: Sequence[str], *, prefetch: Sequence[str] = ()) -> int:
        """Accept a loadout; returns the assignment's generation.

        What is to be prefetched is read while the loadout serves, unless something new is assigned.

        Raises:
            InvalidRequest: the loadout is empty, or names a variant unknown or twice.
            Unavailable: the worker is stopping.
        """
        self._check(loadout)
        if self.phase is WorkerPhase.STOPPING:
            raise Unavailable(f"worker {self._name} is stopping", retry_after=None)
        if self._assigned == tuple(loadout) and self.phase is not WorkerPhase.FAILED:
            return self.expect(prefetch)
        self._next = self._known_of(prefetch)
        self._generation += 1
        self._assigned, self._held = tuple(loadout), {}
        self._change(WorkerEvent.ASSIGNED, f"finishing work before loading {', '.join(loadout)}")
        self._spawn(self._switch(self._generation))
        return self._generation

    def expect(self, prefetch: Sequence[str]) -> int:
        """Read these while the loadout serves, and change nothing; returns the generation."""
        self._next = self._known_of(prefetch)
        if self.phase is WorkerPhase.READY:
            self._read_ahead()
        return self._generation

    def broke(self, reason: str) -> None:
        """Note that the device is of no use any more."""
        self._device.broke(reason)
        if self.phase in (WorkerPhase.READY, WorkerPhase.LOADING):
            self._held = {}
            self._change(WorkerEvent.BROKE, reason)

    def feel(self) -> None:
        """Heed what the device's driver tells: draw no more while it is unwell, then go on."""
        reason = self._device.health().reason
        if reason and self.phase in (WorkerPhase.READY, WorkerPhase.LOADING):
            self._held, self._unwell = {}, True
            self._change(WorkerEvent.BROKE, reason)
        elif not reason and self._unwell and self.phase is WorkerPhase.FAILED:
            self._unwell = False
            self.assign(self._assigned)

    async def stop(self, grace: float) -> None:
        """Refuse new work, and give what runs `grace` seconds."""
        self._held = {}
        self._change(WorkerEvent.STOPPED, "told to stop")
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d images were not finished within %g s", self._unended, grace)
        for task in self._tasks:
            task.cancel()
        self._feed.close()

    def _check(self, loadout: Sequence[str]) -> None:
        if not loadout:
            raise InvalidRequest.one("loadout", "must name at least one variant")
        violations = []
        for index, variant in enumerate(loadout):
            if variant not in self._known:
                known = ", ".join(self._known)
                problem = f"no variant {variant!r}; there are {known}"
                violations.append(Violation(f"loadout[{index}]", problem))
            elif variant in loadout[:index]:
                violations.append(Violation(f"loadout[{index}]", f"names {variant!r} twice"))
        if violations:
            raise InvalidRequest(violations)

    async def _switch(self, generation: int) -> None:
        began = self.engine.clock()
        await self._idle.wait()
        if self._overtaken(generation):
            return
        drained = self.engine.clock()
        self._change(WorkerEvent.DRAINED, f"loading {', '.join(self._assigned)}")
        before, self._resident = self._resident, ()
        try:
            loaded = await self.engine.load(
                self._assigned, superseded=lambda: self._overtaken(generation)
            )
            if reason := self._device.health().reason:
                raise Unavailable(reason, retry_after=None)
        except Exception as error:  # whatever it is, the worker cannot serve
            log.exception("loading %s failed", ", ".join(self._assigned))
            if not self._overtaken(generation):
                self._change(WorkerEvent.BROKE, str(error) or type(error).__name__)
            return
        if self._overtaken(generation):
            return
        self._held, self._resident = loaded.held, tuple(loaded.held)
        self._tuned = loaded.warmed.tuned
        switch = cluster_pb2.Switch(
            to=self._resident,
            drain=duration(drained - began),
            load=duration(self.engine.clock() - drained),
            disk_bytes=loaded.disk_bytes,
            moved_bytes=loaded.moved.moved,
            kept_bytes=loaded.moved.kept,
            warm=duration(loaded.warmed.seconds),
            graphs=loaded.warmed.graphs,
            graphs_made=loaded.warmed.made,
        )
        # A Python keyword: the generated constructor cannot take it by name.
        getattr(switch, "from").extend(before)
        self._last_switch = switch
        self.loaded(seconds(switch.load))
        self._change(WorkerEvent.LOADED, "")
        self._read_ahead()

    def _known_of(self, variants: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in variants if name in self._known)

    def _read_ahead(self) -> None:
        generation = self._generation
        if self._next:
            self._spawn(
                self.engine.prefetch(self._next, wanted=lambda: not self._overtaken(generation))
            )

    def _overtaken(self, generation: int) -> bool:
        return generation != self._generation or self.phase in (
            WorkerPhase.STOPPING,
            WorkerPhase.FAILED,
        )

    def _freed(self) -> None:
        self._in_flight -= 1
        self._tell()

    def _ended(self) -> None:
        self._unended -= 1
        if self._unended == 0:
            self._idle.set()

    def _change(self, event: WorkerEvent, reason: str) -> None:
        was_ready = self.phase is WorkerPhase.READY
        self.phase, self._reason = next_phase(self.phase, event), reason
        log.info("worker %s is %s%s", self._name, self.phase, f": {reason}" if reason else "")
        ready = self.phase is WorkerPhase.READY
        if ready != was_ready:
            self._spawn(self._announce())
        self._tell()

    async def _announce(self) -> None:
        # The phase of now, not of then: announcements may overtake one another.
        await self._on_serving(self.phase is WorkerPhase.READY)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self) -> None:
        self._feed.publish(self.state())


def _tuning(tuned: Tuned) -> cluster_pb2.Tuning:
    return cluster_pb2.Tuning(
        compiled_blocks=tuned.blocks,
        reason=tuned.reason,
        attention=tuned.attention,
        quantization=tuned.quantization,
    )
