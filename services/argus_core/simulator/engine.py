"""A run: discrete events in virtual time.

Model: events are handled one at a time, in order of time, then of making. A request waits in
exactly one queue, or is drawn by exactly one worker, or has ended; it ends once. Queues are in
order of deadline. A worker is bound to a request when it is free (late binding). Everything drawn
by lot is drawn beforehand, by request, so that all policies meet the same luck.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import inf, nan

import numpy as np

from argus_core.policies.pace import best_batch
from argus_core.policies.policy import DONE, REFUSE, Duty, Floor, Plain, Policy, Prompt
from argus_core.simulator.check import require_valid
from argus_core.simulator.crew import Crew
from argus_core.simulator.luck import luck_of
from argus_core.simulator.outcome import Outcome, State
from argus_core.simulator.scenario import Scenario
from argus_core.simulator.setting import prompts_of, setting_of
from argus_core.simulator.stock import Stock

_STRIDE = 5000
"""Requests between two calls of `progress`."""
_LOOK = 2
"""Times the largest batch: how many of those that wait are looked at for company."""

Entry = tuple[float, int, int, float]
"""A request that waits: its deadline, number, level, and the seconds counted for it."""
_LAST: Entry = (inf, 0, 0, 0.0)
"""After all others."""
Event = tuple[float, int, Callable[[int], None], int]


def simulate(
    scenario: Scenario,
    policy: Policy,
    *,
    clock: Callable[[], float],
    progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Let a scenario happen to a policy.

    Args:
        scenario: what happens.
        policy: freshly made; it holds the state of one run.
        clock: seconds; tells how long the run took.
        progress: told the share of requests that have arrived, 0 to 1.

    Raises:
        InvalidRequest: naming every field of the scenario that is wrong.
    """
    started = clock()
    require_valid(scenario)
    run = _Run(scenario, policy, progress)
    run.play()
    return run.outcome(clock() - started)


class _Run:
    def __init__(
        self, scenario: Scenario, policy: Policy, progress: Callable[[float], None] | None
    ) -> None:
        setting = setting_of(scenario)
        duties = policy.start(setting)
        self._scenario, self._policy, self._progress = scenario, policy, progress
        self._queue_of = list(policy.queue_of)
        queues = max(self._queue_of) + 1
        self._floor = Floor(levels=len(scenario.levels), queues=queues)
        self._crew = Crew(
            setting, self._queue_of, self._floor, switching_share=scenario.switching_share
        )
        self._queues: list[list[Entry]] = [[] for _ in range(queues)]
        self._crew.begin(duties)
        self._running: list[list[Entry]] = [[] for _ in scenario.workers]
        self._drawn: list[int] = [-1] * len(scenario.workers)
        self._epoch = [0] * len(scenario.workers)
        self._orders: list[Sequence[Duty]] = []
        self._events: list[Event] = []
        self._made = 0
        self._stock = Stock(scenario.store)
        self._batches = [level.batches for level in scenario.levels]
        self._needs_start = [level.needs_start for level in scenario.levels]
        self._fetch = [scenario.store.fetch_seconds * needs for needs in self._needs_start]
        """What a fetch usually takes, by level; 0 where none is needed."""
        self._packed = [best_batch(level, scenario.deadline)[1] for level in scenario.levels]
        self._batch_sizes = [len(batches) for batches in self._batches]
        self._steals = _overrides(policy, "steal")
        self._alarms = _overrides(policy, "alarmed")
        self._judges = scenario.prompts.confidence if _overrides(policy, "after") else {}
        self._in_play = 0
        self._to_come = len(scenario.arrivals)
        """Arrivals, those that come again included."""
        self._last_deadline = 0.0
        """Of all that were taken: after it, nothing that waits is worth a turn."""
        self._busy_seconds = 0.0
        rows = prompts_of(scenario)
        self._prompt: list[Prompt] = [rows[p] for p in scenario.prompt_of.tolist()]
        self._luck: list[float] = luck_of(scenario).tolist()
        count = len(scenario.arrivals)
        self._state = bytearray([State.DROPPED]) * count
        self._level = array("h", [-1]) * count
        self._finished = array("d", [nan]) * count
        self._tries = bytearray(count)
        self._first_refused = bytearray(count)

    def play(self) -> None:
        """Let everything happen."""
        scenario, events = self._scenario, self._events
        for loss in scenario.losses:
            self._at(loss.start, self._lose, loss.worker)
            self._at(loss.end, self._come_back, loss.worker)
        self._at(scenario.interval, self._tick, 0)
        arrivals = scenario.arrivals.tolist()
        count, nearest = len(arrivals), events[0][0]
        for request, time in enumerate(arrivals):
            while nearest <= time:
                self._floor.now, _, happens, who = heappop(events)
                happens(who)
                nearest = events[0][0] if events else inf
            self._floor.now = time
            self._arrive(request)
            nearest = events[0][0] if events else inf
            if self._progress is not None and not request % _STRIDE:
                self._progress(request / count)
        while events:
            self._floor.now, _, happens, who = heappop(events)
            happens(who)
        if self._progress is not None:
            self._progress(1.0)

    def outcome(self, seconds: float) -> Outcome:
        """What became of it all; whoever still waits was dropped."""
        crew = self._crew
        return Outcome(
            policy=self._policy.name,
            state=np.frombuffer(bytes(self._state), dtype=np.uint8),
            level=np.array(self._level, dtype=np.int16),
            finished=np.array(self._finished, dtype=np.float64),
            tries=np.frombuffer(bytes(self._tries), dtype=np.uint8),
            first_refused=np.frombuffer(bytes(self._first_refused), dtype=np.bool_),
            busy_seconds=self._busy_seconds,
            switching_seconds=crew.switching_seconds,
            switches=crew.switches,
            shifts=tuple(crew.shifts),
            seconds=seconds,
        )

    def _at(self, time: float, what: Callable[[int], None], who: int) -> None:
        self._made += 1
        heappush(self._events, (time, self._made, what, who))

    # Requests

    def _arrive(self, request: int) -> None:
        """A request comes, for the first time or again."""
        floor, deadline = self._floor, self._scenario.deadline
        floor.asking = request
        self._to_come -= 1
        self._tries[request] += 1
        level = self._policy.place(self._prompt[request], deadline, floor)
        if self._alarms and self._policy.alarmed(floor):
            self._turn()
        if level == REFUSE:
            self._refuse(request)
            return
        self._in_play += 1
        self._last_deadline = floor.now + deadline
        self._join(self._entry(floor.now + deadline, request, level))

    def _entry(self, deadline: float, request: int, level: int) -> Entry:
        return deadline, request, level, self._floor.seconds[level] * self._packed[level]

    def _refuse(self, request: int) -> None:
        self._state[request] = State.REFUSED
        if self._tries[request] == 1:
            self._first_refused[request] = 1
        if self._tries[request] <= self._scenario.retries:
            wait = self._policy.retry_after(self._prompt[request], self._floor)
            if wait < inf:
                self._to_come += 1
                self._at(self._floor.now + wait, self._arrive, request)

    def _join(self, entry: Entry) -> None:
        """A placed request is drawn at once where a worker is free, and waits otherwise."""
        floor, crew = self._floor, self._crew
        queue = self._queue_of[entry[2]]
        if floor.busy[queue] < floor.servers[queue]:
            worker = crew.free_worker(queue)
            if worker >= 0:
                if not self._bind(worker, entry):
                    crew.release(worker)
                return
        heappush(self._queues[queue], entry)
        floor.waiting[queue] += 1
        floor.queued[queue] += entry[3]
        if self._steals and crew.standing:
            for worker in crew.one_of_each_kind():
                crew.unstack(worker)
                self._next(worker)

    def _wake(self) -> None:
        """Every free worker looks again for something to do; what one does may occupy others."""
        for worker in self._crew.free():
            if self._crew.unstack(worker):
                self._next(worker)

    def _pop(self, queue: int) -> Entry:
        floor = self._floor
        entry = heappop(self._queues[queue])
        floor.waiting[queue] -= 1
        floor.queued[queue] = floor.queued[queue] - entry[3] if floor.waiting[queue] else 0.0
        return entry

    def _bind(self, worker: int, entry: Entry) -> bool:
        """Have a worker, free and in no stack, draw a request; False where it is dropped."""
        floor, request = self._floor, entry[1]
        remaining = entry[0] - floor.now
        duty = self._crew.duty[worker]
        assert duty is not None, "a worker that serves has a duty"
        floor.worker = worker
        level = self._policy.bind(self._prompt[request], entry[2], remaining, duty, floor)
        if level == REFUSE:
            self._end(request, State.DROPPED)
            return False
        entries = [entry]
        if self._batch_sizes[level] > 1:
            self._gather(worker, duty, level, entries)
        self._draw(worker, level, entries)
        return True

    def _gather(self, worker: int, duty: Duty, level: int, entries: list[Entry]) -> None:
        """Add those that wait for the same queue while a larger batch gains and all are in time."""
        batches, seconds = self._batches[level], self._crew.seconds[worker][level]
        queue, floor = self._queue_of[level], self._floor
        aside: list[Entry] = []
        earliest = entries[0][0] - self._fetch[level]
        while (size := len(entries)) < len(batches) and self._queues[queue]:
            gains = batches[size] / (size + 1) < batches[size - 1] / size
            if not gains or len(aside) + size > _LOOK * len(batches):
                break
            if floor.now + seconds * batches[size] > earliest:
                break
            floor.joining, floor.marginal = level, seconds * (batches[size] - batches[size - 1])
            other = self._pop(queue)
            remaining = other[0] - floor.now
            prompt = self._prompt[other[1]]
            if self._policy.bind(prompt, other[2], remaining, duty, floor) == level:
                entries.append(other)
                earliest = min(earliest, other[0] - self._fetch[level])
            else:
                aside.append(other)
        floor.joining = -1
        for other in aside:
            heappush(self._queues[queue], other)
            floor.waiting[queue] += 1
            floor.queued[queue] += other[3]

    def _draw(self, worker: int, level: int, entries: list[Entry]) -> None:
        """A worker draws a batch; a start latent that cannot be had costs the skipped steps."""
        crew, now = self._crew, self._floor.now
        seconds = crew.seconds[worker][level]
        if len(entries) > 1:
            seconds *= self._batches[level][len(entries) - 1]
        actual = seconds * self._luck[entries[0][1]]
        if self._needs_start[level]:
            fetch, found = self._stock.fetch(now)
            self._policy.fetched(level, fetch, found, now)
            if not found:
                whole = self._whole(level)
                actual *= crew.seconds[worker][whole] / crew.seconds[worker][level]
                level = whole
            seconds += fetch
            actual += fetch
        self._running[worker] = entries
        self._drawn[worker] = level
        self._busy_seconds += actual
        crew.occupy(worker, now + seconds)
        self._made += 1
        epoch = self._epoch[worker]
        heappush(
            self._events, (now + actual, self._made, self._finish, worker + epoch * len(crew.duty))
        )

    def _whole(self, level: int) -> int:
        """The dearest level of the same variant that needs no start: what is drawn without one."""
        levels = self._scenario.levels
        variant = levels[level].variant
        return next(
            i for i, le in enumerate(levels) if le.variant == variant and not le.needs_start
        )

    def _finish(self, ticket: int) -> None:
        """A worker has drawn its batch, unless it was lost meanwhile."""
        epoch, worker = divmod(ticket, len(self._epoch))
        if epoch != self._epoch[worker]:
            return
        entries, level = self._running[worker], self._drawn[worker]
        self._running[worker] = []
        self._crew.done(worker)
        for entry in entries:
            self._deliver(entry, level)
        self._next(worker)

    def _deliver(self, entry: Entry, level: int) -> None:
        deadline, request, now = entry[0], entry[1], self._floor.now
        if level in self._judges:
            confidence = float(self._judges[level][self._scenario.prompt_of[request]])
            prompt = self._prompt[request]
            then = self._policy.after(prompt, level, confidence, deadline - now, self._floor)
            if then != DONE:
                self._join(self._entry(deadline, request, then))
                return
        self._level[request] = level
        self._finished[request] = now
        self._end(request, State.IN_TIME if now <= deadline else State.LATE)

    def _end(self, request: int, state: State) -> None:
        self._state[request] = state
        self._in_play -= 1

    # Workers

    def _next(self, worker: int) -> None:
        """A worker is free, and in no stack: it loads, draws, or stands ready."""
        crew, floor = self._crew, self._floor
        if crew.must_load(worker):
            self._load(worker)
            return
        posts, waiting = crew.posts[worker], floor.waiting
        while True:
            nearest, queue = _LAST, -1
            for post in posts:
                if waiting[post] and (head := self._queues[post][0]) < nearest:
                    nearest, queue = head, post
            if queue < 0:
                break
            if self._bind(worker, self._pop(queue)):
                return
        if not (self._steals and self._steal(worker)):
            crew.release(worker)

    def _steal(self, worker: int) -> bool:
        """Whether a worker that nothing waits for has taken over what waits for others."""
        duty, floor = self._crew.duty[worker], self._floor
        assert duty is not None, "a worker that serves has a duty"
        for queue, entries in enumerate(self._queues):
            if not entries:
                continue
            deadline, request, placed, _ = entries[0]
            remaining = deadline - floor.now
            floor.worker = worker
            level = self._policy.steal(self._prompt[request], placed, remaining, duty, floor)
            if level != REFUSE:
                self._draw(worker, level, [self._pop(queue)])
                return True
        return False

    def _turn(self) -> None:
        """The control loop looks, and decides."""
        crew = self._crew
        told = [None if lost else d for d, lost in zip(crew.told, crew.lost, strict=True)]
        orders = self._policy.tick(told, self._floor)
        if orders is not None:
            self._orders.append(orders)
            self._at(self._floor.now + self._scenario.delay, self._obey, 0)

    def _tick(self, _: int) -> None:
        """The control loop's turn, and its next."""
        scenario = self._scenario
        self._turn()
        in_play = self._in_play and self._floor.now <= self._last_deadline
        if in_play or self._to_come:
            self._at(self._floor.now + scenario.interval, self._tick, 0)

    def _obey(self, _: int) -> None:
        """What the control loop decided has reached the workers."""
        self._crew.tell(self._orders.pop(0))
        self._wake()
        self._resettle()

    def _load(self, worker: int) -> None:
        seconds = self._crew.load(worker)
        self._crew.recount()
        epoch = self._epoch[worker]
        self._at(self._floor.now + seconds, self._loaded, worker + epoch * len(self._epoch))
        self._resettle()

    def _loaded(self, ticket: int) -> None:
        epoch, worker = divmod(ticket, len(self._epoch))
        if epoch != self._epoch[worker]:
            return
        self._crew.loaded(worker)
        self._crew.recount()
        self._wake()  # Others may have waited for their turn to load, this one among them.

    def _lose(self, worker: int) -> None:
        """A worker is lost; what it drew is placed anew, within its deadline."""
        crew = self._crew
        self._epoch[worker] += 1
        entries, self._running[worker] = self._running[worker], []
        if entries:
            crew.done(worker)
        else:
            crew.unstack(worker)
        crew.lose(worker)
        crew.recount()
        for entry in entries:
            self._place_again(entry, State.LOST)
        self._resettle()

    def _come_back(self, worker: int) -> None:
        crew = self._crew
        crew.lost[worker] = False
        if crew.told[worker] is not None:
            self._load(worker)

    def _resettle(self) -> None:
        """Place anew what waits in queues that nobody serves any more."""
        stranded: list[Entry] = []
        for queue, servers in enumerate(self._floor.servers):
            while self._queues[queue] and not servers:
                stranded.append(self._pop(queue))
        for entry in sorted(stranded):
            self._place_again(entry, State.DROPPED)

    def _place_again(self, entry: Entry, otherwise: State) -> None:
        floor, (deadline, request, _, _) = self._floor, entry
        floor.asking = request
        level = REFUSE
        if deadline > floor.now:
            level = self._policy.place(self._prompt[request], deadline - floor.now, floor)
        if level == REFUSE:
            self._end(request, otherwise)
        else:
            self._join(self._entry(deadline, request, level))


def _overrides(policy: Policy, method: str) -> bool:
    """Whether a policy does something of its own there; most do not, and need not be asked."""
    own: object = getattr(type(policy), method)
    return own is not getattr(Plain, method)
