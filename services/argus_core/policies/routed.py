"""What the baselines share: one level a worker, one queue a level, loads split by shares.

Every `period` the control loop decides how many workers serve each level (`plan`); between, the
load is split over the levels that workers serve right now (`loads`). So requests never go to a
level that nobody serves, also while workers load or are lost. What would be late when its turn
comes is dropped rather than drawn. Each is given the benefit of the doubt: it knows the true
seconds, measures the load well, has one queue a level rather than one a worker, and re-posts
workers among the levels of a variant at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from argus_core.policies.allocation import Counts
from argus_core.policies.crews import posts
from argus_core.policies.observed import Observed
from argus_core.policies.pace import costs, paces
from argus_core.policies.policy import REFUSE, Duty, Floor, Plain, Prompt, Setting
from argus_core.policies.turns import Turns

_RISE = 1.1
"""Times the load planned for: up to it no worker changes its variant to suit a greater one."""
_LULL = 0.7
"""Likewise for a smaller one. Narrower bounds have every baseline switch more and serve less."""
_LEAST = 1e-6
"""Images a second; a demand of nothing would be split over no level."""


class Routed(Plain):
    """See the module. A subclass says at least how many serve what: `plan`."""

    period = 0.0
    """Seconds between two decisions; the control loop's interval where that is longer."""
    headroom = 1.0
    """Times the measured load, that is planned for; 1 as most of them have it in words."""

    def start(self, setting: Setting) -> Sequence[Duty]:
        """Decide for the load expected at first."""
        self.setting = setting
        self.queue_of = range(len(setting.levels))
        self.paces = paces(setting)
        self.observed = Observed(rate=setting.rate)
        self.demand = max(setting.rate * self.headroom, _LEAST)
        """Images a second that is planned for."""
        self.served: list[int] = []
        """Workers by level, when the load was last split; empty where it is to be split anew."""
        self._costs = [costs(setting, gpu) for gpu in setting.workers]
        self._turns = Turns([0.0] * len(setting.levels))
        self._lost = [False] * len(setting.workers)
        self._decided, self._decided_for = 0.0, self.demand
        self.prepare()
        duties = self._decide([Duty((), ())] * len(setting.workers))
        self._adopt(duties)
        return duties

    def prepare(self) -> None:
        """Make ready for the first plan; the setting is known.

        Raises:
            InvalidRequest: the policy cannot work in this setting.
        """

    def plan(self, demand: float, available: Mapping[str, int]) -> Counts:
        """How many workers serve each level, of those available by GPU type."""
        raise NotImplementedError

    def loads(self, capacity: Sequence[float], servers: Sequence[int]) -> Sequence[float]:
        """How the load is split over levels, in any unit; 0 where there is no capacity.

        Args:
            capacity: images a second of the workers that serve each level now.
            servers: how many these are.
        """
        del servers
        return capacity

    def duty(self, level: int) -> Duty:
        """What a worker posted at a level does; that level comes first."""
        return self.setting.post(level)

    def unsettled(self) -> bool:
        """Whether something has happened that wants a new decision at the next turn."""
        return False

    def tick(self, crew: Sequence[Duty | None], floor: Floor) -> Sequence[Duty] | None:
        """Measure, and decide if it is time; no variant is changed for a whim of the load."""
        self.demand = max(self.observed.turn(floor.now) * self.headroom, _LEAST)
        self.served = []
        lost = [duty is None for duty in crew]
        forced = lost != self._lost or self.unsettled()
        # Turns come a little early where their times do not add up exactly.
        due = floor.now - self._decided >= self.period - self.setting.interval / 2
        if not forced and not due:
            return None
        self._decided, self._lost = floor.now, lost
        steady = _LULL * self._decided_for <= self.demand <= _RISE * self._decided_for
        duties = self._decide(crew)
        if duties == list(crew) or (steady and not forced and _switch(crew, duties)):
            return None
        self._adopt(duties)
        return duties

    def place(self, prompt: Prompt, remaining: float, floor: Floor) -> int:
        """A level that is served; where none is, the one where most workers are awaited."""
        # Those placed again, after a worker was lost, have less time left, and are not counted.
        self.note(prompt, new=remaining >= self.setting.deadline)
        if floor.servers != self.served:
            self._split(floor)
        level = self.choose(prompt)
        if level >= 0:
            return level
        if floor.servers[self._awaited] or not any(floor.servers):
            return self._awaited
        return max(self.queue_of, key=lambda served: floor.servers[served])

    def note(self, prompt: Prompt, *, new: bool) -> None:
        """Count an arrival."""
        del prompt
        self.observed.count += new

    def choose(self, prompt: Prompt) -> int:
        """A level with a load, below 0 for none: the one whose turn it is."""
        del prompt
        return self._turns.next()

    def share(self, loads: Sequence[float]) -> None:
        """Take over a new split of the load."""
        self._turns.change(loads)

    def bind(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """The level it was placed at; nothing is drawn that would most likely be late."""
        del prompt, duty
        return level if self._costs[floor.worker][level] <= remaining else REFUSE

    def cost(self, level: int, worker: int) -> float:
        """Seconds that an image may take on a worker, fetching included."""
        return self._costs[worker][level]

    def is_posted(self, level: int) -> bool:
        """Whether the workers that serve a level are there for its sake; see `duty`."""
        del level
        return True

    def _decide(self, crew: Sequence[Duty | None]) -> list[Duty]:
        """What each worker shall do for the demand as it is."""
        alive = [g for g, duty in zip(self.setting.workers, crew, strict=True) if duty is not None]
        counts = self.plan(self.demand, {gpu: alive.count(gpu) for gpu in self.paces})
        posted = posts(self.setting, crew, counts)
        most = max(counts, key=lambda cell: counts[cell], default=None)
        spare = Duty(self.setting.loadouts[0], ()) if most is None else self.duty(most[0])
        duties = []
        for level, does in zip(posted, crew, strict=True):
            if level is not None:
                duties.append(self.duty(level))
            elif does is None:
                duties.append(spare)
            else:
                duties.append(Duty(does.loadout or self.setting.loadouts[0], ()))
        return duties

    def _adopt(self, duties: Sequence[Duty]) -> None:
        """Note what each level's workers draw, and where most of them are."""
        drawn: dict[int, list[float]] = {}
        for duty, gpu in zip(duties, self.setting.workers, strict=True):
            for level in duty.levels[:1]:
                drawn.setdefault(level, []).append(self.paces[gpu][level])
        self._decided_for = self.demand
        self._pace = [max(by_level) for by_level in zip(*self.paces.values(), strict=True)]
        for level, own in drawn.items():
            self._pace[level] = fmean(own)
        self._awaited = max(drawn, key=lambda level: len(drawn[level]), default=REFUSE)

    def _split(self, floor: Floor) -> None:
        self.served = list(floor.servers)
        servers = [n if self.is_posted(level) else 0 for level, n in enumerate(self.served)]
        capacity = [n * pace for n, pace in zip(servers, self._pace, strict=True)]
        self.share(self.loads(capacity, servers))


def _switch(crew: Sequence[Duty | None], duties: Sequence[Duty]) -> bool:
    """Whether a worker would change its variants."""
    pairs = zip(crew, duties, strict=True)
    return any(does is not None and does.loadout != duty.loadout for does, duty in pairs)
