"""A control loop and its workers in virtual time."""

from math import inf
from random import Random

from argus_core.control import ControlLoop, ControlRules, Held, duties
from argus_core.planning.load import LoadReport
from argus_core.planning.problem import LevelProfile, PoolBudget

INTERVAL = 10.0
LARGE, SMALL = ("large",), ("small",)
SECONDS = {"large": 1.0, "small": 0.25}
LEVELS = tuple(LevelProfile(name=v, variant=v, seconds={"gpu": s}) for v, s in SECONDS.items())
COSTS = [level.seconds for level in LEVELS]
QUALITIES = (1.0, 0.7)
LOW, HIGH, FLOOD = 2.0, 9.0, 12.0
"""Images a second that three of four workers carry with `large`; that need three of them with
`small`; and that need all."""

NIMBLE, SLOW = dict.fromkeys(SECONDS, 0.1), dict.fromkeys(SECONDS, 3.0)
"""Seconds of a switch, of the 8 that a request has."""


class Cluster:
    """Workers that hold at once what they are told, a router that tells of a steady load."""

    def __init__(self, workers=4, deadline=inf, **changes):
        self.deadline = deadline
        pool = PoolBudget(name="p", gpu_type="gpu", workers=workers, loadouts=(LARGE, SMALL))
        rules = {"deadline": 8.0, "target": 0.95, "interval": INTERVAL, "steady": 60.0, "keep": 1}
        self.loop = ControlLoop(
            ControlRules(levels=LEVELS, pools=(pool,), **rules | changes), rng=Random(0)
        )
        self.crew = {"p": [Held(LARGE if i % 2 == 0 else SMALL) for i in range(workers)]}
        self.now, self.sequence, self.costs = 0.0, 0, COSTS

    def hear(self, rate, seconds, work=()):
        """A report of so many images a second."""
        self.now += seconds
        self.sequence += 1
        report = LoadReport(
            router="r",
            sequence=self.sequence,
            window_end=self.now,
            window=seconds,
            arrivals=round(rate * seconds),
            samples=[QUALITIES] * min(20, round(rate * seconds)),
            work=work,
            deadline=self.deadline,
        )
        self.loop.observe(report, self.now)

    def turn(self, rate=None, work=(), *, after=INTERVAL):
        """One turn; `rate` is of the images asked for since the last, None for no report."""
        if rate is None:
            self.now += after
        elif after:
            self.hear(rate, after, work)
        plan = self.loop.turn(self.crew, self.costs, self.now)
        if plan is not None:
            told = duties(plan, self.crew)["p"]
            self.crew["p"] = [
                held if held.loadout is None else held._replace(loadout=loadout)
                for held, loadout in zip(self.crew["p"], told, strict=True)
            ]
        return plan

    def set(self, worker, **changes):
        self.crew["p"][worker] = self.crew["p"][worker]._replace(**changes)

    def holding(self, loadout):
        return sum(held.loadout == loadout for held in self.crew["p"])

    def turns(self, rate, count, work=()):
        return [self.turn(rate, work) for _ in range(count)]
