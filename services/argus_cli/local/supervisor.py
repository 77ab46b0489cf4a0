"""Keeps child processes alive, within bounds, and leaves none behind.

Model: one task a child runs it through its states (below) and is the only one to change its
`ChildView`; all of it happens on one event loop.

    STARTING -> UP -> WAITING -> STARTING ...      a death, a delay, another run
    any -> STOPPED                                 `stop` was called
    STARTING, UP -> GAVE_UP                        the policy has had enough: `gave_up` is set

Invariants: at most one process a child; every process that was started is waited for, and its
group killed, before its child leaves UP or STARTING; after `stop` has returned there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from argus_cli.local.child import Run, describe_exit, tail
from argus_cli.local.restart import RestartPolicy, recent_deaths, restart_delay
from argus_core.errors import Unavailable


class ChildState(StrEnum):
    """What a child is doing, as seen from outside."""

    STARTING = "starting"
    UP = "up"
    WAITING = "waiting"
    GAVE_UP = "gave up"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """How to run a child."""

    name: str
    """Unique within the supervisor."""
    command: Callable[[], Sequence[str]]
    """Asked anew at every start, since addresses and loadouts change in between."""
    log: Path
    """Standard error and output; appended to."""
    start_timeout: float = 120.0
    """Seconds until it must have said where it listens; the first import of torch is slow."""
    stop_timeout: float = 10.0
    """Seconds that it may take to drain before it is killed."""


@dataclass(kw_only=True)
class ChildView:
    """A child as it is now; read it, but leave the changes to the supervisor."""

    name: str
    state: ChildState = ChildState.STARTING
    pid: int | None = None
    """None while no process runs."""
    said: dict[str, str] = field(default_factory=dict)
    """Where it listens, in its own words; empty unless up."""
    restarts: int = 0
    reason: str = ""
    """Of the last death; empty before the first."""


class GaveUp(Unavailable):
    """A child could not be kept alive; the message names it, says why, and ends with its log."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=None)


class Supervisor:
    """Starts, restarts and stops children.

    `gave_up` is done, with a `GaveUp` as its exception, as soon as any child is given up.
    """

    def __init__(
        self,
        *,
        policy: RestartPolicy,
        on_change: Callable[[ChildView], None] = lambda _view: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy, self._on_change, self._clock = policy, on_change, clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._runs: dict[str, Run] = {}
        self._specs: dict[str, ChildSpec] = {}
        self._stopping: set[str] = set()
        self.views: dict[str, ChildView] = {}
        self.gave_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, spec: ChildSpec) -> None:
        """Begin to keep a child alive."""
        assert spec.name not in self._specs, f"two children called {spec.name}"
        self._specs[spec.name] = spec
        self.views[spec.name] = ChildView(name=spec.name)
        task = asyncio.create_task(self._keep_alive(spec))
        task.add_done_callback(self._expose)
        self._tasks[spec.name] = task

    async def stop(self, *stages: Sequence[str]) -> None:
        """Stop the children named, one stage after the other, each child draining in its time.

        Without stages all stop at once. Idempotent; children not named stay.
        """
        for names in stages or (tuple(self._specs),):
            await asyncio.gather(*(self._stop_one(self._specs[name]) for name in names))

    def kill(self) -> None:
        """End every process at once and for good; for when draining was interrupted."""
        self._stopping.update(self._specs)
        for run in self._runs.values():
            run.kill()

    async def _keep_alive(self, spec: ChildSpec) -> None:
        deaths: list[float] = []
        came_up = False
        while spec.name not in self._stopping:
            reason = await self._run_once(spec)
            came_up = came_up or self.views[spec.name].state == ChildState.UP
            if spec.name in self._stopping:
                break
            deaths.append(self._clock())
            delay = restart_delay(deaths, policy=self._policy, came_up=came_up)
            if delay is None:
                self._give_up(spec, deaths, reason)
                return
            self._change(spec.name, ChildState.WAITING, reason=reason)
            await asyncio.sleep(delay)
            self.views[spec.name].restarts += 1
        self._change(spec.name, ChildState.STOPPED)

    async def _run_once(self, spec: ChildSpec) -> str:
        """Run the child until it ends; returns why it did."""
        self._change(spec.name, ChildState.STARTING, reason=self.views[spec.name].reason)
        try:
            run = await Run.start(spec.command(), spec.log)
        except OSError as error:
            return f"cannot be started: {error}"
        self._runs[spec.name], self.views[spec.name].pid = run, run.pid
        try:
            if spec.name in self._stopping:
                run.terminate()
            slow = await self._hear(spec, run)
            status = await run.ended()
        finally:
            run.kill()
            del self._runs[spec.name]
        return slow or describe_exit(status)

    async def _hear(self, spec: ChildSpec, run: Run) -> str | None:
        """Wait for the announcement; kills a child that makes none and returns the reason."""
        try:
            said = await asyncio.wait_for(run.announced(), spec.start_timeout)
        except TimeoutError:
            run.kill()
            return f"did not say where it listens within {spec.start_timeout:g} s"
        if said is not None and spec.name not in self._stopping:
            view = self.views[spec.name]
            self._change(spec.name, ChildState.UP, pid=run.pid, said=said, reason=view.reason)
        return None

    async def _stop_one(self, spec: ChildSpec) -> None:
        self._stopping.add(spec.name)
        task, view = self._tasks[spec.name], self.views[spec.name]
        if run := self._runs.get(spec.name):
            run.terminate()
        elif view.state == ChildState.WAITING:
            task.cancel()
        done, _ = await asyncio.wait({task}, timeout=spec.stop_timeout)
        if not done:
            if run := self._runs.get(spec.name):
                run.kill()
            await asyncio.wait({task})
        if view.state != ChildState.GAVE_UP:
            self._change(spec.name, ChildState.STOPPED)

    def _expose(self, task: asyncio.Task[None]) -> None:
        """A task that broke keeps nothing alive: that is giving up too."""
        if not task.cancelled() and (error := task.exception()) and not self.gave_up.done():
            self._set_gave_up(error)

    def _set_gave_up(self, error: BaseException) -> None:
        self.gave_up.set_exception(error)
        # Whoever waits for it gets it; nobody need.
        self.gave_up.exception()

    def _give_up(self, spec: ChildSpec, deaths: Sequence[float], reason: str) -> None:
        count = recent_deaths(deaths, policy=self._policy)
        self._change(spec.name, ChildState.GAVE_UP, reason=reason)
        if not self.gave_up.done():
            said = tail(spec.log) or "(it is empty)"
            self._set_gave_up(
                GaveUp(
                    f"{spec.name} cannot be kept alive: it died {count} times within "
                    f"{self._policy.window:g} s, and last {reason}. Its log ends:\n{said}"
                )
            )

    def _change(
        self,
        name: str,
        state: ChildState,
        *,
        pid: int | None = None,
        said: dict[str, str] | None = None,
        reason: str = "",
    ) -> None:
        view = self.views[name]
        view.state, view.pid, view.said, view.reason = state, pid, said or {}, reason
        self._on_change(view)
