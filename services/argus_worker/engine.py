"""The engine: one thread that owns the models and denoises, a step of all samples at a time.

Model: the event loop hands over jobs and loadouts through a bounded inbox and hears back
through each job's outbox and through futures. The thread takes what is in the inbox, then has
the group of like samples whose turn it is take one step, and so on; it waits only when it has no
sample.

Invariants:
- models and samples are touched by the engine's thread alone; a job's `stop` flag is all that
  others set;
- a job ends once: by its image, its failure, its cancellation, its deadline, or as that can no
  longer be met; then its sample is dropped and `on_end` is called on the event loop;
- its slot is free, and `on_free` called, once it has no step left: its latent is decoded beside
  the steps of others. Nothing is decoded any more while a loadout is loaded;
- a failure of one sample leaves the others of its batch as they were.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image

from argus_core.errors import DeadlineMissed, Unavailable
from argus_core.stepping import StepTimes
from argus_worker import batch, failures
from argus_worker.decoder import Decoder
from argus_worker.encodings import Encodings
from argus_worker.job import Job, Running
from argus_worker.masters import Held, Masters
from argus_worker.order import Drawn, Event, Failed, Order, Progress, Started
from argus_worker.outbox import call_soon
from argus_worker.residency import Moved
from argus_worker.sample import Sample
from argus_worker.tuning import Tuner, Warmed
from argus_worker.turns import Turns

log = logging.getLogger(__name__)

STEP_FLOOR = 60.0
"""Seconds that any step may take before it counts as halted; the first of a shape warms up."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A loadout that is resident."""

    held: dict[str, Held]
    disk_bytes: int
    moved: Moved
    warmed: Warmed


@dataclass(frozen=True, kw_only=True)
class _Load:
    names: Sequence[str]
    superseded: Callable[[], bool]
    done: asyncio.Future[Loaded]


class Engine:
    """Draws images on one device; made, used and stopped on one event loop."""

    def __init__(
        self,
        masters: Masters,
        *,
        device: torch.device,
        threads: int,
        slots: int,
        tuner: Tuner | None = None,
        encodings: Encodings | None = None,
        steps: StepTimes | None = None,
        step_floor: float = STEP_FLOOR,
        clock: Callable[[], float] = time.monotonic,
        on_broken: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._masters, self._device, self._threads = masters, device, threads
        self._tuner = tuner or Tuner({}, device=device)
        self._encodings = encodings or Encodings()
        self.clock, self._on_broken = clock, on_broken
        steps = steps or StepTimes({}, pixels=1)
        self._turns = Turns(steps, floor=step_floor, clock=clock)
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.Queue[Job | _Load | None] = queue.Queue(maxsize=slots + 64)
        self._decoder = Decoder(
            device=device,
            threads=threads,
            room=slots,
            measured=self._turns.decoding,
            done=self._decoded,
        )
        self._running: list[Running] = []
        self._resident: list[Held] = []
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._decoder.start()
        self._thread.start()

    async def stop(self, grace: float) -> None:
        """End the threads, waiting `grace` seconds for each; what has steps left is dropped."""
        self._send(None)
        await asyncio.to_thread(self._thread.join, grace)
        await asyncio.to_thread(self._decoder.stop, grace)

    def submit(
        self,
        order: Order,
        *,
        deadline: float,
        on_end: Callable[[], None],
        on_free: Callable[[], None] = lambda: None,
    ) -> Job:
        """Have an order drawn; `deadline` is on the engine's clock.

        Both are called once, on the event loop: `on_free` when another may be drawn in its stead,
        `on_end` when the engine has let go of it.

        Raises:
            Unavailable: too much is waiting already.
        """
        job = Job(
            order=order, deadline=deadline, submitted=self.clock(), on_free=on_free, on_end=on_end
        )
        self._send(job)
        return job

    async def load(self, names: Sequence[str], *, superseded: Callable[[], bool]) -> Loaded:
        """Make these variants resident, and no others; nothing may be running.

        Args:
            names: Known to the masters.
            superseded: Asked between variants; true gives up, with what is loaded kept as
                masters and nothing resident.

        Raises:
            BadModel: one of them cannot be loaded.
        """
        done: asyncio.Future[Loaded] = self._loop.create_future()
        self._send(_Load(names=names, superseded=superseded, done=done))
        return await done

    async def prefetch(self, names: Sequence[str], *, wanted: Callable[[], bool]) -> None:
        """Have variants in host memory while others serve, as far as there is room.

        Args:
            names: Known to the masters.
            wanted: Asked before each; false gives up.
        """
        for name in names:
            if wanted():
                await asyncio.to_thread(self._read_ahead, name)

    def halted(self) -> str:
        """Why the engine has come to a halt, of which only a new process helps; empty if not."""
        return self._turns.halted()

    def _send(self, command: Job | _Load | None) -> None:
        try:
            self._inbox.put_nowait(command)
        except queue.Full as error:
            raise Unavailable("the engine's inbox is full") from error

    def _run(self) -> None:
        torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                while self._take_commands():
                    self._round()
        except Exception as error:
            log.exception("the engine's thread died")
            call_soon(self._loop, self._on_broken, f"the engine's thread died: {error}")
        self._running.clear()

    def _take_commands(self) -> bool:
        """Do what is asked; False when the thread shall end. Waits if nothing is running."""
        try:
            while self._obey(self._inbox.get(block=not self._running)):
                pass
        except queue.Empty:
            return True
        return False

    # A method of its own, as `_round` is: a local that outlived it would keep the last job's
    # memory for as long as the thread waits for the next.
    def _obey(self, command: Job | _Load | None) -> bool:
        if isinstance(command, Job):
            self._begin(command)
        elif command is not None:
            self._load(command)
        return command is not None

    def _round(self) -> None:
        for running in tuple(self._running):
            if not self._over(running.job) and (reason := self._turns.hopeless(running)):
                self._end(running.job, Failed(DeadlineMissed(reason)))
        if self._running:
            self._step(self._turns.take(self._running))

    def _begin(self, job: Job) -> None:
        if self._over(job):
            return
        now = self.clock()
        try:
            sample = Sample(job.order, device=self._device, encodings=self._encodings)
        except Exception as error:  # noqa: BLE001 - one order's failure is its own
            self._fail(job, error)
            return
        began = self.clock()
        self._running.append(
            Running(
                job=job, sample=sample, queue=now - job.submitted, encode=began - now, began=began
            )
        )
        job.outbox.put(Started())

    def _step(self, group: list[Running]) -> None:
        with self._turns.stepping(group):
            stepped = [
                running
                for running, prediction in self._predict(group)
                if self._tried(self._advance, running, prediction)
            ]
        for running in stepped:
            if running.sample.finished:
                self._tried(self._finish, running)

    def _tried(self, act: Callable[..., None], running: Running, *rest: torch.Tensor) -> bool:
        """Whether it went well; one order's failure is its own."""
        try:
            act(running, *rest)
        except Exception as error:  # noqa: BLE001
            self._fail(running.job, error)
            return False
        return True

    def _predict(self, group: list[Running]) -> list[tuple[Running, torch.Tensor]]:
        """Predictions of a group; samples that fail together are tried apart, and fail alone."""
        try:
            predictions = batch.predict([running.sample for running in group])
        except Exception as error:  # noqa: BLE001 - one order's failure is its own
            if self._tuner.mend(group[0].job.order.held, error):
                return self._predict(group)
            if len(group) == 1:
                self._fail(group[0].job, error)
                return []
            log.warning("a batch of %d failed, trying its samples apart: %s", len(group), error)
        else:
            return list(zip(group, predictions, strict=True))
        failures.free_memory()
        return [pair for running in group for pair in self._predict([running])]

    def _advance(self, running: Running, prediction: torch.Tensor) -> None:
        sample, job = running.sample, running.job
        clean = sample.advance(prediction)
        if self._device.type == "cuda":
            # Or progress, cancellation and times would run ahead of the device. The stream alone:
            # what is decoded beside it is not waited for.
            torch.cuda.current_stream(self._device).synchronize()
        if sample.finished:
            return
        every, family = job.order.preview_every_steps, job.order.held.family
        preview = None
        if every and sample.done % every == 0:
            with self._decoder.alone():
                preview = family.preview(clean)
        job.outbox.put(Progress(step=sample.done, steps=job.order.steps, preview=preview))

    def _finish(self, running: Running) -> None:
        job = running.job
        self._running.remove(running)
        running.sample.close()
        running.denoised = self.clock()
        self._decoder.make_room()
        # The slot before the news: whoever hears of the last step may ask for the slot at once.
        call_soon(self._loop, job.on_free)
        job.outbox.put(Progress(step=job.order.steps, steps=job.order.steps, preview=None))
        self._decoder.hand(running)

    def _decoded(self, running: Running, outcome: Image | Exception | None) -> None:
        """End a job whose latent was decoded; from the decoder's thread."""
        job = running.job
        event: Event | None = None
        if isinstance(outcome, Exception):
            event = Failed(failures.to_caller(outcome))
            self._tell_if_broken(outcome)
        elif outcome is not None and self.clock() >= job.deadline:
            event = Failed(DeadlineMissed("the deadline passed while drawing"))
        elif outcome is not None:
            event = Drawn(
                image=outcome,
                captured=tuple(running.sample.captured),
                queue=running.queue,
                encode=running.encode,
                denoise=running.denoised - running.began,
                decode=self.clock() - running.denoised,
            )
        self._let_go(job, event)

    def _over(self, job: Job) -> bool:
        """Whether the job is cancelled or late; then it is ended here."""
        if job.cancelled:
            self._end(job, None)
        elif self.clock() >= job.deadline:
            self._end(job, Failed(DeadlineMissed("the deadline passed while drawing")))
        else:
            return False
        return True

    def _fail(self, job: Job, error: Exception) -> None:
        # The traceback's frames hold the very tensors that did not fit.
        error.__traceback__ = None if failures.is_out_of_memory(error) else error.__traceback__
        self._end(job, Failed(failures.to_caller(error)))
        if failures.is_out_of_memory(error):
            failures.free_memory()
        self._tell_if_broken(error)

    def _tell_if_broken(self, error: Exception) -> None:
        if failures.is_broken_device(error):
            call_soon(self._loop, self._on_broken, f"the device is broken: {error}")

    def _end(self, job: Job, event: Event | None) -> None:
        for running in [running for running in self._running if running.job is job]:
            self._running.remove(running)
            running.sample.close()
        call_soon(self._loop, job.on_free)
        self._let_go(job, event)

    def _let_go(self, job: Job, event: Event | None) -> None:
        """Tell its end; from the engine's thread or the decoder's."""
        call_soon(self._loop, job.on_end)
        if event is not None:
            job.outbox.put(event)

    def _read_ahead(self, name: str) -> None:
        with torch.inference_mode():
            if self._masters.prefetch(name):
                log.info("%s is in host memory", name)

    def _load(self, load: _Load) -> None:
        try:
            loaded = self._make_resident(load)
        except Exception as error:  # noqa: BLE001 - the future carries it
            self._settle(load.done.set_exception, load, error)
        else:
            self._settle(load.done.set_result, load, loaded)

    def _make_resident(self, load: _Load) -> Loaded:
        self._decoder.settle()
        for held in self._resident:
            held.residency.put_out()
            if (lender := held.family.lender()) is not None:
                lender.forget()
        self._resident = []
        held_by_name, disk_bytes, moved = {}, 0, Moved(moved=0, kept=0)
        warmed = Warmed()
        for name in load.names:
            if load.superseded():
                break
            held_by_name[name], read = self._masters.fetch(name)
            disk_bytes += read
            self._masters.trim(load.names)
        else:
            self._resident = list(held_by_name.values())
            moved = self._masters.weights.show(held.residency for held in self._resident)
            warmed = self._tuner.ready(self._resident)
        return Loaded(held=held_by_name, disk_bytes=disk_bytes, moved=moved, warmed=warmed)

    def _settle(self, setter: Callable[[Any], None], load: _Load, outcome: object) -> None:
        call_soon(self._loop, lambda: None if load.done.done() else setter(outcome))
