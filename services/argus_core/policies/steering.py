"""The control loop's side of Argus's policy: load in, plan out, duties for every worker.

The same loop as in a running cluster (`argus_core.control`), told of one router that sees all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log
from random import Random
from statistics import median_low

from argus_core.control import ControlLoop, ControlRules, Crew, Held, duties
from argus_core.measured import Costs
from argus_core.planning.load import LoadReport
from argus_core.planning.plan import Plan
from argus_core.planning.problem import PoolBudget
from argus_core.policies.policy import Duty, Prompt, Setting

_SAMPLES = 100
"""Prompts kept of each interval."""


class Steering:
    """Watches the load and plans; time is the run's."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        pools = dict.fromkeys(setting.workers)
        self._members = {g: [i for i, w in enumerate(setting.workers) if w == g] for g in pools}
        """By pool, which is a GPU type: its workers."""
        self.loop = ControlLoop(_rules(setting, self._members), rng=Random(setting.seed))
        self._lots = Random(setting.seed)
        self._seen = 0
        self._samples: list[tuple[float, ...]] = []
        self._remaining: list[float] = []
        """Of the same prompts: seconds that they had."""
        self._next, self._kept = 1, 1.0
        """Number of the next prompt to be kept, and the state of the lots."""
        self._reported = 0.0
        self._sequence = 0

    def saw(self, prompt: Prompt, remaining: float) -> None:
        """A prompt has come, with so many seconds left: count it, keep it with an even chance."""
        self._seen += 1
        if self._seen < self._next:
            return
        if len(self._samples) < _SAMPLES:
            self._samples.append(prompt.qualities)
            self._remaining.append(remaining)
            self._next = self._seen + 1
        else:
            at = self._lots.randrange(_SAMPLES)
            self._samples[at], self._remaining[at] = prompt.qualities, remaining
        if len(self._samples) == _SAMPLES:
            # Li's Algorithm L (1994): how many to leave out, drawn at once.
            self._kept *= exp(log(1 - self._lots.random()) / _SAMPLES)
            skipped = log(1 - self._lots.random()) / log(1 - self._kept)
            self._next = self._seen + 1 + int(skipped)

    def begin(self, costs: Costs) -> list[Duty]:
        """What the workers hold at first: the plan for the rate expected."""
        return self._duties(self.loop.begin(costs), [None] * len(self._setting.workers))

    def turn(self, crew: Sequence[Duty | None], costs: Costs, now: float) -> list[Duty] | None:
        """Report what came, and plan where something has moved; None to leave all as it is."""
        if now > self._reported:
            self._report(now)
        plan = self.loop.turn(self._crew(crew), costs, now)
        return None if plan is None else self._duties(plan, crew)

    def leapt(self, now: float) -> bool:
        """Whether a turn is wanted at once; a prompt has just come."""
        glance = self.loop.glance
        if glance is None or now - self._reported < glance:
            return False
        self._report(now)
        return self.loop.leapt(now) > 0

    def _report(self, now: float) -> None:
        self._sequence += 1
        report = LoadReport(
            router="run",
            sequence=self._sequence,
            window_end=now,
            window=now - self._reported,
            arrivals=self._seen,
            samples=self._samples,
            deadline=median_low(self._remaining or [inf]),
        )
        self.loop.observe(report, now)
        self._reported, self._seen, self._samples, self._remaining = now, 0, [], []
        self._next, self._kept = 1, 1.0

    def _crew(self, crew: Sequence[Duty | None]) -> Crew:
        return {
            pool: [Held(None if (duty := crew[i]) is None else duty.loadout) for i in members]
            for pool, members in self._members.items()
        }

    def _duties(self, plan: Plan, crew: Sequence[Duty | None]) -> list[Duty]:
        """Every worker's duty, in the setting's order."""
        setting = self._setting
        found: list[Duty] = [setting.duty(setting.loadouts[0])] * len(crew)
        for pool, loadouts in duties(plan, self._crew(crew)).items():
            for i, loadout in zip(self._members[pool], loadouts, strict=True):
                found[i] = setting.duty(loadout)
        return found


def _rules(setting: Setting, members: dict[str, list[int]]) -> ControlRules:
    return ControlRules(
        levels=setting.levels,
        pools=tuple(
            PoolBudget(name=gpu, gpu_type=gpu, workers=len(own), loadouts=setting.loadouts)
            for gpu, own in members.items()
        ),
        deadline=setting.deadline,
        target=setting.target,
        interval=setting.interval,
        switch_seconds=setting.switch_seconds,
        rate=setting.rate,
        sample=[p.qualities for p in setting.sample],
        shed_loss=setting.shed_loss,
    )
