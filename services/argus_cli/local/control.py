"""The control loop of a cluster on one machine: `argus_core.control` with clocks and calls.

Model: four tasks on one event loop. One follows the router's load; one takes a turn every interval,
in a thread, as a plan may take half a second; one has workers switch, a few at a time, whenever a
worker's state or the plan has changed; one tells the router the plan, again after it was away. Only
the turn touches the loop's own state. Invariants:

- without a plan nobody is moved, and whoever was assigned by hand never is;
- moves that were planned and have yet to be made are part of what stands: the next plan undoes them
  only where that gains as much as any other change must;
- the plan's number rises with whatever the router is told;
- nothing that fails here ends anything: it is logged once, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from random import Random

from argus_cli.local.crew import Crew
from argus_cli.local.mode import Mode
from argus_cli.local.plan import Seat, make_plan, plan_message
from argus_cli.local.planning import Planning, Switches, costs_of, order_of, rules_of
from argus_client import AsyncClient
from argus_client.retry import Retry
from argus_core import control
from argus_core.planning.load import LoadReport
from argus_core.planning.plan import Plan
from argus_core.rollout import Post, next_switches
from argus_core.spec import ClusterSpec
from argus_core.spread import Loadout
from argus_core.states import WorkerPhase
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.convert import seconds

log = logging.getLogger(__name__)

_CALL = 5.0
"""Seconds that the router may take to answer."""
_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before what failed is tried again: twice as many each time, up to a bound."""
_REPORTS = 100
"""Reports that wait for the next turn at most."""


class Control:
    """See the module. Give it addresses as they change, and `run` it."""

    def __init__(
        self,
        spec: ClusterSpec,
        seats: Mapping[str, Seat],
        loadouts: dict[str, Loadout],
        planning: Planning,
    ) -> None:
        """`loadouts` is what each worker begins with when it starts; it is kept up to date."""
        self._spec, self._seats, self._planning = spec, seats, planning
        self._router, self._is_up = "", asyncio.Event()
        self._moved, self._untold = asyncio.Event(), asyncio.Event()
        self._first = dict(loadouts)
        self.crew = Crew(loadouts, order_of(spec), self._crew_changed)
        self._wanted: dict[str, Loadout] = {}
        """By worker, as planned last; empty before the first plan."""
        self._switches = Switches(order_of(spec))
        rules = rules_of(spec, planning)
        self._loop = control.ControlLoop(rules, rng=Random(), clock=time.monotonic)
        self._reports: deque[LoadReport] = deque(maxlen=_REPORTS)
        self._id = 0
        self.plan = self._as_is()
        """What the router is told."""

    def router_is_up(self, address: str) -> None:
        """The router listens here, and knows no plan."""
        self._router = address
        self._is_up.set()
        self._untold.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        steps = {"telling the router": self._tell_router}
        if self._planning.mode is not Mode.OFF:
            steps |= {"following the load": self._follow_load, "planning": self._turn}
        if self._planning.mode is Mode.AUTOMATIC:
            steps |= {"switching workers": self._roll_out}
        try:
            async with asyncio.TaskGroup() as group:
                for name, step in steps.items():
                    group.create_task(self._forever(name, step))
        finally:
            await self.crew.close()

    async def _forever(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step again and again; log a failure once, until it succeeds or fails otherwise."""
        trouble, pause = "", _PAUSE
        while True:
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the cluster goes on
                if trouble != repr(error):
                    trouble = repr(error)
                    log.warning("%s failed, and is tried again: %r", name, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                trouble, pause = "", _PAUSE

    async def _follow_load(self) -> None:
        await self._is_up.wait()
        interval = min(max(self._planning.interval / 2, 0.1), 300.0)
        async with (
            AsyncClient(self._router, retry=Retry(attempts=1)) as client,
            aclosing(client.watch_load(interval=interval)) as reports,
        ):
            while True:
                async with asyncio.timeout(interval + _CALL):
                    report = await anext(reports)
                self._reports.append(_load_report(report, time.monotonic(), time.time()))
                if report.plan_id > self.plan.id:
                    self._id = report.plan_id
                    self.plan.id = self._next_id()
                if report.plan_id != self.plan.id:
                    self._untold.set()

    async def _turn(self) -> None:
        await asyncio.sleep(self._planning.interval)
        reports = [self._reports.popleft() for _ in range(len(self._reports))]
        self._switches.hear(self.crew.states)
        crew, switch_seconds = self._held(), dict(self._switches.seconds)
        plan = await asyncio.to_thread(self._decide, reports, crew, switch_seconds)
        if plan is None:
            return
        if self._planning.mode is Mode.ADVISORY:
            self._set(self._as_is(f"; advised, and not done: {plan.reason}"))
            return
        for pool, loadouts in control.duties(plan, crew).items():
            self._wanted |= dict(zip(self._members(pool), loadouts, strict=True))
        for name, held in self.crew.loadouts.items():
            if self.crew.phase(name) is None:
                self._wanted[name] = held  # Until it is back, and planned with.
        self._set(plan_message(self._next_id(), plan))
        self._moved.set()

    def _decide(
        self, reports: list[LoadReport], crew: control.Crew, switch_seconds: Mapping[str, float]
    ) -> Plan | None:
        now = time.monotonic()
        for report in reports:
            self._loop.observe(report, now)
        return self._loop.turn(crew, costs_of(self._spec), now, switch_seconds=switch_seconds)

    async def _roll_out(self) -> None:
        while not (names := next_switches(self._posts())):
            self._moved.clear()
            await self._moved.wait()
        for name in names:
            # Somebody may have assigned it by hand since it was chosen.
            await self.crew.assign(name, self._due(name), plan_id=self.plan.id)

    async def _tell_router(self) -> None:
        await self._untold.wait()
        await self._is_up.wait()
        # Who changes the plan while it is told says so again.
        self._untold.clear()
        try:
            async with AsyncClient(self._router, retry=Retry(attempts=1)) as client:
                await client.apply_plan(self.plan, timeout=_CALL)
        except Exception:
            self._untold.set()
            raise

    def _set(self, plan: cluster_pb2.Plan) -> None:
        self.plan = plan
        self._untold.set()

    def _next_id(self) -> int:
        self._id += 1
        return self._id

    def _crew_changed(self) -> None:
        """A worker tells something new; without a plan what all hold is told in its stead."""
        self._moved.set()
        if not self._wanted and self._told != Counter(self._placed()):
            self._set(self._as_is())

    def _as_is(self, note: str = "") -> cluster_pb2.Plan:
        """The plan that says what the workers hold."""
        by_hand = self.crew.loadouts != self._first
        reason = "as assigned by hand" if by_hand else "every variant is held by a worker"
        self._told = Counter(self._placed())
        return make_plan(self._next_id(), self._placed(), reason=reason + note)

    def _placed(self) -> list[tuple[str, Loadout]]:
        """Pool and loadout of every worker."""
        return [(self._seats[name].pool, held) for name, held in self.crew.loadouts.items()]

    def _posts(self) -> dict[str, Post]:
        crew = self.crew
        return {
            name: Post(
                phase=crew.phase(name),
                assigned=held,
                wanted=self._due(name),
                busy=crew.states[name].in_flight if name in crew.states else 0,
            )
            for name, held in crew.loadouts.items()
        }

    def _held(self) -> control.Crew:
        return {
            pool.name: [self._holding(name) for name in self._members(pool.name)]
            for pool in self._spec.pools
        }

    def _holding(self, name: str) -> control.Held:
        """What a worker was told or will be; None where it serves nothing soon."""
        lost = self.crew.phase(name) in (None, WorkerPhase.FAILED, WorkerPhase.STOPPING)
        return control.Held(None if lost else self._due(name), pinned=name in self.crew.pinned)

    def _due(self, name: str) -> Loadout:
        """What a worker shall hold: what it was assigned by hand, or else by the plan."""
        held = self.crew.loadouts[name]
        return held if name in self.crew.pinned else self._wanted.get(name, held)

    def _members(self, pool: str) -> list[str]:
        """The pool's workers, in an order that stays."""
        return [name for name, seat in self._seats.items() if seat.pool == pool]


def _load_report(report: control_pb2.LoadReport, now: float, wall: float) -> LoadReport:
    """A report on this process's clock: the wall's may be set."""
    age = max(0.0, wall - report.window_end.ToNanoseconds() / 1e9)
    return LoadReport(
        router=report.router,
        sequence=report.sequence,
        window_end=now - age,
        window=seconds(report.window),
        arrivals=report.arrivals,
        samples=[tuple(sample.qualities) for sample in report.samples],
    )
