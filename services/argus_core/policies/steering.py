"""The control loop's side of Argus's policy: load in, plan out, duties for every worker.

The same estimate and the same plan as in a running cluster. A plan is asked for when the load has
moved since the last, workers came or went, costs changed, or it has grown old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, inf, log
from random import Random

from argus_core.planning.bursts import Greatest
from argus_core.planning.decide import decide
from argus_core.planning.load import Load, LoadEstimator, LoadReport, LoadRules
from argus_core.planning.plan import Plan
from argus_core.planning.problem import Holding, LevelProfile, PlanProblem, PoolBudget, Rules
from argus_core.planning.reversals import Reversals
from argus_core.policies.policy import Duty, Prompt, Setting
from argus_core.policies.posting import matched
from argus_core.spread import Loadout

_SAMPLES = 100
"""Prompts kept of each interval."""
_MARGIN = 1.0
"""Standard deviations of the forecast that are planned for."""
_MOVED = 0.1
"""Share by which the load must move for a new plan."""
_STEADY, _TURNS = 180.0, 4
"""Seconds, and turns: a load that has fallen is planned for when it has been low for so long."""
_YOUNG_GAIN = 0.03
"""What a change must gain that follows another so soon: a plan may live for some turns."""
_SHED = 0.01
"""Share shed from which on workers are moved back and forth nevertheless."""
_SURE = 2.0
"""Standard deviations of the forecast by which it must move besides."""
_BURSTIEST = 4.0
"""Index of dispersion that is planned for at most."""
_GAP = 1e-3
"""Distance from the proven optimum; a fifth of what a new plan must gain to be taken."""
_OLD = 300.0
"""Seconds after which a plan is made anew whatever the load."""

Costs = Sequence[Mapping[str, float]]
"""By level, by GPU type: seconds of one image now; infinite while the level is closed."""


class Steering:
    """Watches the load and plans; time is the run's."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._estimator = LoadEstimator(
            LoadRules(
                levels=len(setting.levels),
                step=max(1.0, setting.interval / 2),
                burst_length=max(setting.deadline, setting.interval / 2),
            ),
            rng=Random(setting.seed),
        )
        self._lots = Random(setting.seed)
        self._seen = 0
        self._samples: list[tuple[float, ...]] = []
        self._next, self._kept = 1, 1.0
        """Number of the next prompt to be kept, and the state of the lots."""
        self._reported = 0.0
        self._sequence = 0
        self._planned_at = self._changed = -inf
        self._planned_for: tuple[object, ...] = ()
        self.plan: Plan | None = None
        switches = setting.switch_seconds.values()
        self._reaction = setting.interval + max(switches, default=0.0)
        """Seconds until a worker that is told at the next turn may serve."""
        self._reversals = Reversals(memory=(_TURNS - 0.5) * setting.interval)
        self._greatest = Greatest(memory=max(_STEADY, _TURNS * setting.interval))
        self.rate = setting.rate
        """Images a second that the plan was made for."""
        self.expected = setting.rate
        """Images a second that are the likeliest."""
        self.burstiness = 1.0
        self.burst = 0.0
        """Images a second that the workers should be able to carry."""
        self.prices = [inf] * len(setting.variants)
        """By variant; infinite where nobody holds it."""
        self.sample: Sequence[Sequence[float]] = [p.qualities for p in setting.sample]

    def saw(self, prompt: Prompt) -> None:
        """A prompt has come: count it, and keep it with an even chance."""
        self._seen += 1
        if self._seen < self._next:
            return
        if len(self._samples) < _SAMPLES:
            self._samples.append(prompt.qualities)
            self._next = self._seen + 1
        else:
            self._samples[self._lots.randrange(_SAMPLES)] = prompt.qualities
        if len(self._samples) == _SAMPLES:
            # Li's Algorithm L (1994): how many to leave out, drawn at once.
            self._kept *= exp(log(1 - self._lots.random()) / _SAMPLES)
            skipped = log(1 - self._lots.random()) / log(1 - self._kept)
            self._next = self._seen + 1 + int(skipped)

    def begin(self, costs: Costs) -> list[Duty]:
        """What the workers hold at first: the plan for the rate expected."""
        return self._decide([None] * len(self._setting.workers), costs, 0.0)

    def turn(self, crew: Sequence[Duty | None], costs: Costs, now: float) -> list[Duty] | None:
        """Report what came, and plan where something has moved; None to leave all as it is."""
        self._report(now)
        load = self._estimator.estimate(now, ahead=self._reaction)
        if load is None or not load.qualities:
            return None
        self.expected = load.rate
        state = (tuple(d is None for d in crew), _closed(costs))
        wanted = self._greatest.of(load.upper(_MARGIN), now)
        moved = abs(wanted - self.rate) > max(_MOVED * self.rate, _SURE * load.deviation)
        if not moved and state == self._planned_for and now - self._planned_at < _OLD:
            return None
        self._planned_at, self._planned_for = now, state
        self._take(load)
        if moved:
            self.rate = wanted
        return self._decide(crew, costs, now)

    def _report(self, now: float) -> None:
        self._sequence += 1
        report = LoadReport(
            router="run",
            sequence=self._sequence,
            window_end=now,
            window=now - self._reported,
            arrivals=self._seen,
            samples=self._samples,
        )
        self._estimator.observe(report, now)
        self._reported, self._seen, self._samples = now, 0, []
        self._next, self._kept = 1, 1.0

    def _take(self, load: Load) -> None:
        # A step of the load looks like a burst; beyond this the model of the queue says nothing.
        self.burstiness = min(max(1.0, load.burstiness), _BURSTIEST)
        self.burst = load.burst
        self.sample = load.qualities

    def _decide(self, crew: Sequence[Duty | None], costs: Costs, now: float) -> list[Duty]:
        young = now - self._changed < _TURNS * self._setting.interval
        gain = _YOUNG_GAIN if young else Rules.minimum_gain
        problem = replace(self._problem(crew, costs, gain), limits=self._reversals.limits(now))
        plan = decide(problem, clock=lambda: 0.0, weighed=False)
        if problem.limits and plan.expected_shed > _SHED:
            plan = decide(replace(problem, limits={}), clock=lambda: 0.0, weighed=False)
        self.plan = plan
        if plan.moves:
            self._changed = now
        self._reversals.took(
            {
                v: sum(a.workers for a in plan.allocations if v in a.loadout)
                for v in self._setting.variants
            },
            now,
        )
        self.prices = [
            min((a.price for a in plan.allocations if v in a.loadout), default=inf)
            for v in self._setting.variants
        ]
        return self._duties(plan, crew)

    def _problem(
        self, crew: Sequence[Duty | None], costs: Costs, minimum_gain: float
    ) -> PlanProblem:
        setting = self._setting
        lost = [duty is None for duty in crew] if self.plan else [False] * len(crew)
        pools = tuple(
            PoolBudget(
                name=gpu,
                gpu_type=gpu,
                workers=setting.workers.count(gpu),
                loadouts=setting.loadouts,
                unavailable=sum(a for a, g in zip(lost, setting.workers, strict=True) if g == gpu),
            )
            for gpu in dict.fromkeys(setting.workers)
        )
        return PlanProblem(
            rules=Rules(
                deadline=setting.deadline,
                target=setting.target,
                minimum_gain=minimum_gain,
                gap=_GAP,
            ),
            levels=tuple(
                LevelProfile(name=level.name, variant=level.variant, seconds=_able(cost, setting))
                for level, cost in zip(setting.levels, costs, strict=True)
            ),
            pools=pools,
            qualities=self.sample,
            rate=self.rate,
            burstiness=self.burstiness,
            burst=self.burst,
            standing=self._standing(crew),
            switch_seconds=setting.switch_seconds,
        )

    def _standing(self, crew: Sequence[Duty | None]) -> tuple[Holding, ...]:
        counts: dict[tuple[str, Loadout], int] = {}
        for gpu, duty in zip(self._setting.workers, crew, strict=True):
            if duty is not None:
                counts[gpu, duty.loadout] = counts.get((gpu, duty.loadout), 0) + 1
        return tuple(Holding(pool=p, loadout=o, workers=n) for (p, o), n in counts.items())

    def _duties(self, plan: Plan, crew: Sequence[Duty | None]) -> list[Duty]:
        """Every worker's duty: it keeps what it holds wherever the plan has room for that."""
        setting = self._setting
        duties: list[Duty] = [setting.duty(setting.loadouts[0])] * len(crew)
        for gpu in dict.fromkeys(setting.workers):
            members = [i for i, g in enumerate(setting.workers) if g == gpu]
            wanted = {a.loadout: a.workers for a in plan.allocations if a.pool == gpu}
            if not wanted:
                continue  # All of them are lost.
            holds = [None if (d := crew[i]) is None else d.loadout for i in members]
            for i, loadout in zip(members, matched(holds, wanted), strict=True):
                duties[i] = setting.duty(loadout)
        return duties


def _closed(costs: Costs) -> tuple[bool, ...]:
    return tuple(min(cost.values()) == inf for cost in costs)


def _able(costs: Mapping[str, float], setting: Setting) -> dict[str, float]:
    """Seconds by GPU type; a closed level's are beyond every deadline."""
    return {gpu: min(s, 10 * setting.deadline) for gpu, s in costs.items()}
