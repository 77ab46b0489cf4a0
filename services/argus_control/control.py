"""The control loop of a cluster: `argus_core.control` with clocks and calls.

Model: tasks on one event loop. A line for each router brings its load and tells it the plan; one
task takes a turn every interval, in a thread, as a plan may take half a second; one has workers
switch, a few at a time, whenever a worker's state or the plan has changed. Only the turn touches
the loop's own state. Invariants:

- a turn comes before its time where a report tells of a leap of the load, and workers are nimble;
- without a plan nobody is moved but who holds nothing, and whoever is pinned never is;
- moves that were planned and have yet to be made are part of what stands: the next plan undoes them
  only where that gains as much as any other change must;
- the plan's number rises with whatever the routers are told, and with every plan remembered;
- nothing that fails here ends anything: it is logged once, and tried again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from random import Random

from prometheus_client import CollectorRegistry

from argus_control.crew import Crew
from argus_control.history import History
from argus_control.lines import Reach, RouterLine, forever
from argus_control.metrics import ClusterMetrics, Metrics
from argus_control.mode import Mode
from argus_control.outcomes import Outcomes
from argus_control.pacing import Pacing
from argus_control.planning import Planning, Switches, costs_of, order_of, rules_of
from argus_control.plans import Seat, make_plan, plan_message
from argus_control.records import Queues, as_is, inputs_of, record_of
from argus_core import control
from argus_core.measured import Work
from argus_core.planning.load import LoadReport
from argus_core.planning.plan import Plan
from argus_core.rollout import Post, next_switches, waiting
from argus_core.spec import ClusterSpec
from argus_core.spread import Loadout
from argus_core.states import WorkerPhase
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.convert import seconds

_REPORTS = 1000
"""Reports that wait for the next turn at most."""


async def _nothing(_name: str, _loadout: Loadout) -> None:
    """Nobody wants to know."""


class Control:
    """See the module. Give it addresses as they change, and `run` it."""

    def __init__(
        self,
        spec: ClusterSpec,
        seats: Mapping[str, Seat],
        loadouts: dict[str, Loadout],
        planning: Planning,
        *,
        obeys: bool = True,
        standing: cluster_pb2.Plan | None = None,
        history: History | None = None,
        reach: Reach | None = None,
        before_assign: Callable[[str, Loadout], Awaitable[None]] = _nothing,
        on_change: Callable[[], None] = lambda: None,
        metrics: ClusterMetrics | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """Nothing happens before `run`.

        Args:
            spec: what the cluster shall be.
            seats: every worker by name.
            loadouts: what each worker begins with when it starts; kept up to date.
            planning: whether and how they are planned.
            obeys: whether a worker that somebody else assigns stays so.
            standing: the plan that routers were told by whoever controlled them before.
            history: of plans made before, which goes on here.
            reach: how routers and workers are reached; None for plainly.
            before_assign: awaited before a worker is told what to hold.
            on_change: hears when a worker's state or the plan has changed.
            metrics: told of all this; None where nobody watches.
            pacing: of all who ask workers and routers in this process; None where nobody else does.
        """
        self._metrics = metrics or Metrics(CollectorRegistry()).of("", "")
        self._spec, self.seats, self._planning = spec, seats, planning
        self._before_assign, self._on_change = before_assign, on_change
        self._moved = asyncio.Event()
        self._first = dict(loadouts)
        self.pacing = pacing or Pacing()
        """Of all who ask in vain."""
        self.reach = reach or Reach()
        """How routers and workers are reached."""
        self.crew = Crew(
            loadouts,
            order_of(spec),
            self._crew_changed,
            obeys=obeys,
            pacing=self.pacing,
            peers=self.reach.peers,
        )
        self.pins: dict[str, Loadout] = {}
        """Workers that shall hold what they hold here, whatever the plan."""
        self.paused = False
        """While it is set nobody is moved and nothing is planned."""
        self._wanted: dict[str, Loadout] = {}
        """By worker, as planned last; empty before the first plan."""
        self._announced: dict[str, Loadout] = {}
        """By worker that waits for its turn, what it was told that it will hold."""
        self.switches = Switches(order_of(spec))
        rules = rules_of(spec, planning)
        self._loop = control.ControlLoop(rules, rng=Random(), clock=time.monotonic)
        self._reports: deque[LoadReport] = deque(maxlen=_REPORTS)
        self._heard = asyncio.Event()
        self.outcomes, self._queues = Outcomes(), Queues()
        self.history = history or History()
        """What was planned and why; routers are told of it."""
        self.lines: dict[str, RouterLine] = {}
        """By router."""
        self._hanging_up: set[asyncio.Task[None]] = set()
        self._id = max(standing.id if standing is not None else 0, self.history.last_id)
        self.decided: Plan | None = None
        """The last plan that was made, whether or not it is followed."""
        self._history_told = 0
        """The history's revision that lines have heard of."""
        self._told = Counter(self._placed())
        self.plan = self._as_is(self._next_id()) if standing is None else standing
        """What routers are told."""
        self._tell_plan()
        if standing is None:
            self.history.decided(as_is(self.plan), time.monotonic(), awaited={})

    def routers_are(self, addresses: Mapping[str, str]) -> None:
        """These routers are up, each at its address, and those that are new know no plan."""
        for name, line in list(self.lines.items()):
            if addresses.get(name) != line.address:
                self._hang_up(self.lines.pop(name))
        interval = self._between_reports()
        for name, address in addresses.items():
            if name not in self.lines:
                self.lines[name] = line = RouterLine(name, address, self, interval=interval)
                line.open()

    def router_is_up(self, address: str) -> None:
        """The only router listens here, and knows no plan."""
        self.routers_are({})
        self.routers_are({"router": address})

    async def run(self) -> None:
        """Go on until cancelled."""
        steps = {}
        plans = self._planning.mode is not Mode.OFF
        self._metrics.begun(interval=self._planning.interval if plans else None)
        self._metrics.crew(self._phases())
        if plans:
            steps["planning"] = self._turn
        if self._planning.mode is Mode.AUTOMATIC or not self.crew.obeys:
            steps["switching workers"] = self._roll_out
        try:
            async with asyncio.TaskGroup() as group:
                for name, step in steps.items():
                    group.create_task(forever(name, step, self.pacing))
                await asyncio.Event().wait()
        finally:
            self.routers_are({})
            await asyncio.gather(*self._hanging_up, return_exceptions=True)
            await self.crew.close()

    def hear(self, report: control_pb2.LoadReport) -> None:
        """A router tells of its load; a plan of somebody else is overtaken."""
        now = time.monotonic()
        if self._planning.mode is not Mode.OFF:
            self._metrics.heard()
        self._reports.append(_load_report(report, now, time.time()))
        self._heard.set()
        self._queues.hear(report, now)
        if (fared := self.outcomes.add(report, now)) is not None:
            self.history.fare(fared.met, fared.missed, now)
        if report.plan_id > self.plan.id:
            self._id = report.plan_id
            self.plan.id = self._next_id()
            self.history.renumber(self.plan.id)
            self._tell_plan()
        self._tell_history()

    def line_changed(self) -> None:
        """A router could not be told the plan, or could again."""
        self._on_change()

    def wake(self) -> None:
        """Look again at who shall hold what: a pin or `paused` has changed."""
        self._moved.set()

    def due(self, name: str) -> Loadout:
        """What a worker shall hold: what it is pinned to, or else what the plan says."""
        if name in self.pins:
            return self.pins[name]
        held = self.crew.loadouts[name]
        return held if name in self.crew.pinned else self._wanted.get(name, held)

    def _hang_up(self, line: RouterLine) -> None:
        task = asyncio.create_task(line.close())
        self._hanging_up.add(task)
        task.add_done_callback(self._hanging_up.discard)

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self._planning.interval):
                await self._leap()
        except TimeoutError:
            pass  # It is time for a turn anyway.
        await self._look()
        self._metrics.turned()

    async def _leap(self) -> None:
        """Wait until a report tells of a load that has leapt beyond what is planned for."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            self._take_in()
            if self._loop.leapt(time.monotonic()):
                return

    def _take_in(self) -> None:
        """Have the loop know of what has been reported."""
        now = time.monotonic()
        while self._reports:
            self._loop.observe(self._reports.popleft(), now)

    async def _look(self) -> None:
        self._take_in()
        if self.outcomes.newest is None:
            return
        self.switches.hear(self.crew.states)
        crew, switch_seconds = self._held(), dict(self.switches.seconds)
        plan = await asyncio.to_thread(self._decide, crew, switch_seconds)
        for line in self.lines.values():
            line.interval = self._between_reports()
        self._metrics.took(self._loop.measured.beliefs)
        if plan is None or self.paused:
            return
        self.decided, now = plan, time.monotonic()
        outcome = self.outcomes.of_late(now)
        inputs = inputs_of(self._loop, self.plan, self._queues, outcome, now)
        message = plan_message(self._next_id(), plan)
        if self._planning.mode is Mode.ADVISORY:
            told = self._as_is(message.id, f"; advised, and not done: {plan.reason}")
            self._set(told, record_of(message, plan, inputs, followed=False))
            return
        for pool, loadouts in control.duties(plan, crew).items():
            self._wanted |= dict(zip(self._members(pool), loadouts, strict=True))
        for name, held in self.crew.loadouts.items():
            if self.crew.phase(name) is None:
                self._wanted[name] = held  # Until it is back, and planned with.
        self._set(message, record_of(message, plan, inputs, followed=True))
        self._moved.set()

    def _between_reports(self) -> float | None:
        """Seconds; None where nobody reads them."""
        if self._planning.mode is Mode.OFF and self.crew.obeys:
            return None
        glance = self._loop.glance if self._planning.mode is Mode.AUTOMATIC else None
        return min(max(glance or self._planning.interval / 2, 0.1), 300.0)

    def _decide(self, crew: control.Crew, switch_seconds: Mapping[str, float]) -> Plan | None:
        now = time.monotonic()
        return self._loop.turn(crew, costs_of(self._spec), now, switch_seconds=switch_seconds)

    async def _roll_out(self) -> None:
        while not (names := self._next()):
            self._moved.clear()
            await self._moved.wait()
        # All of them, so that one that does not answer holds up nobody.
        done = await asyncio.gather(
            *map(self._switch, names), self._announce(names), return_exceptions=True
        )
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure

    async def _announce(self, switching: list[str]) -> None:
        """Tell those who wait for their turn what they will hold, once; it is but a hint."""
        following = self._planning.mode is Mode.AUTOMATIC and not self.paused
        next_ones = waiting(self._posts(), switching) if following else {}
        fresh = {n: held for n, held in next_ones.items() if self._announced.get(n) != held}
        self._announced = next_ones
        await asyncio.gather(
            *(self.crew.expect(n, held) for n, held in fresh.items()), return_exceptions=True
        )

    def _next(self) -> list[str]:
        if self.paused:
            return []
        empty = [name for name in self.crew.loadouts if self.crew.holds_nothing(name)]
        if empty or (self._planning.mode is not Mode.AUTOMATIC and not self.pins):
            return empty
        return next_switches(self._posts())

    async def _switch(self, name: str) -> None:
        # Somebody may have assigned it by hand since it was chosen.
        loadout = self.due(name)
        await self._before_assign(name, loadout)
        await self.crew.assign(name, loadout, plan_id=self.plan.id)
        self._metrics.assigned()

    def _set(self, plan: cluster_pb2.Plan, record: control_pb2.PlanRecord) -> None:
        self.plan = plan
        awaited = self._awaited() if record.changes and record.followed else {}
        self.history.decided(record, time.monotonic(), awaited=awaited)
        self._tell_plan()
        for line in self.lines.values():
            line.plan_changed()
        self._tell_history()
        self._on_change()

    def _set_as_is(self) -> None:
        """The plan that says what the workers hold."""
        plan = self._as_is(self._next_id())
        self._set(plan, as_is(plan))

    def _tell_history(self) -> None:
        """Have routers hear of what is new in the history."""
        if self.history.revision != self._history_told:
            self._history_told = self.history.revision
            for line in self.lines.values():
                line.history_changed()

    def _tell_plan(self) -> None:
        self._metrics.planned(self.plan.id, self.plan.made_at.ToNanoseconds() / 1e9)

    def _phases(self) -> list[tuple[str, WorkerPhase | None]]:
        return [(name, self.crew.phase(name)) for name in self.crew.loadouts]

    def _next_id(self) -> int:
        self._id += 1
        return self._id

    def _crew_changed(self) -> None:
        """A worker tells something new; without a plan what all hold is told in its stead."""
        self._metrics.crew(self._phases())
        self._moved.set()
        if not self._wanted and self._told != Counter(self._placed()):
            self._set_as_is()
        self.history.serve(self._serving(), time.monotonic())
        self._tell_history()
        self._on_change()

    def _as_is(self, plan_id: int, note: str = "") -> cluster_pb2.Plan:
        """The plan that says what the workers hold."""
        by_hand = self.crew.obeys and self.crew.loadouts != self._first
        reason = "as assigned by hand" if by_hand else "every variant is held by a worker"
        self._told = Counter(self._placed())
        return make_plan(plan_id, self._placed(), reason=reason + note)

    def _placed(self) -> list[tuple[str, Loadout]]:
        """Pool and loadout of every worker."""
        return [(self.seats[name].pool, held) for name, held in self.crew.loadouts.items()]

    def _serving(self) -> dict[str, Loadout]:
        """What each worker that is ready holds."""
        crew = self.crew
        return {
            name: crew.canonical(crew.states[name].loadout)
            for name in crew.loadouts
            if crew.phase(name) is WorkerPhase.READY
        }

    def _awaited(self) -> dict[str, Loadout]:
        """What workers that are up shall hold, and do not serve."""
        serving = self._serving()
        return {n: self.due(n) for n in self.crew.states if serving.get(n) != self.due(n)}

    def _posts(self) -> dict[str, Post]:
        crew = self.crew
        return {
            name: Post(
                phase=crew.phase(name),
                assigned=held,
                wanted=self.due(name),
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
        pinned = name in self.pins or name in self.crew.pinned
        return control.Held(None if lost else self.due(name), pinned=pinned)

    def _members(self, pool: str) -> list[str]:
        """The pool's workers, in an order that stays."""
        return [name for name, seat in self.seats.items() if seat.pool == pool]


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
        work=[Work(w.level, w.gpu_type, w.images, seconds(w.seconds)) for w in report.work],
        deadline=seconds(report.deadline) if report.HasField("deadline") else math.inf,
    )
