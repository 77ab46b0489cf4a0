"""Small scenarios, and policies so plain that their outcome is known beforehand."""

from collections import Counter
from dataclasses import replace
from math import inf

import numpy as np
from hypothesis import strategies as st

from argus_core.planning.problem import LevelProfile
from argus_core.policies.policy import REFUSE, Plain
from argus_core.simulator.outcome import State
from argus_core.simulator.scenario import Loss, Outage, Prompts, Scenario, Store


def level(name, seconds, *, variant=None, **more):
    """A level of one GPU type `h100`, or of the types given."""
    by_type = seconds if isinstance(seconds, dict) else {"h100": float(seconds)}
    return LevelProfile(name=name, variant=variant or name, seconds=by_type, **more)


def prompts(qualities, **more):
    """Prompts whose predictions are the truth; one row of qualities for each."""
    truth = np.array(qualities, dtype=float)
    return Prompts(truth=truth, predicted=truth, **more)


def scenario(arrivals=(0.0,), **changes):
    """One prompt, `large` (4 s, quality 1) and `small` (1 s, 0.8), one h100, no variation."""
    arrivals = np.array(arrivals, dtype=float)
    defaults = {
        "name": "test",
        "levels": (level("large", 4), level("small", 1)),
        "workers": ("h100",),
        "deadline": 10.0,
        "arrivals": arrivals,
        "prompt_of": np.zeros(len(arrivals), dtype=np.int64),
        "prompts": prompts([[1.0, 0.8]]),
        "variation": 0.0,
    }
    return Scenario(**{**defaults, **changes})


def one_level(arrivals, *, seconds=1.0, workers=1, deadline=1e6, **changes):
    """A queue: one level of quality 1 on identical workers, deadlines beyond any wait."""
    return scenario(
        arrivals,
        levels=(level("only", seconds),),
        workers=("h100",) * workers,
        deadline=deadline,
        prompts=prompts([[1.0]]),
        interval=1e6,
        **changes,
    )


def poisson(rate, count, seed=0):
    """Arrivals of a Poisson process."""
    return np.random.default_rng(seed).exponential(1 / rate, count).cumsum()


class Fixed(Plain):
    """Serves every prompt at one level, on all workers; drops whatever would be late."""

    name = "fixed"

    def __init__(self, level=0):
        super().__init__()
        self.level = level

    def start(self, setting):
        self.setting = setting
        self.queue_of = (0,) * len(setting.levels)
        return [setting.post(self.level)] * len(setting.workers)

    def place(self, prompt, remaining, floor):
        return self.level

    def bind(self, prompt, level, remaining, duty, floor):
        taken = level if level in duty.levels else duty.levels[0]
        return super().bind(prompt, taken, remaining, duty, floor)


class Dice(Plain):
    """Places by lot, refuses by lot, and moves workers by lot: visits every corner."""

    name = "dice"

    def __init__(self, seed=0, *, refusals=0.2, moves=0.5):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.refusals, self.moves = refusals, moves

    def start(self, setting):
        self.setting = setting
        order = {variant: i for i, variant in enumerate(setting.variants)}
        self.queue_of = tuple(order[level.variant] for level in setting.levels)
        return [self._duty() for _ in setting.workers]

    def _duty(self):
        variants = self.setting.variants
        return self.setting.duty((variants[self.rng.integers(len(variants))],))

    def tick(self, crew, floor):
        if self.rng.random() >= self.moves:
            return None
        return [self._duty() for _ in crew]

    def place(self, prompt, remaining, floor):
        fit = [i for i, seconds in enumerate(floor.seconds) if seconds <= remaining]
        if not fit or self.rng.random() < self.refusals:
            return REFUSE
        return fit[self.rng.integers(len(fit))]


def states(outcome):
    """How many requests ended in each state."""
    return Counter(State(s) for s in outcome.state.tolist())


def value(scenario, outcome):
    """Mean over all requests of the true quality, of those delivered within the deadline of
    their first arrival."""
    truth = scenario.prompts.truth[scenario.prompt_of, np.maximum(outcome.level, 0)]
    with np.errstate(invalid="ignore"):
        timely = outcome.finished - scenario.arrivals <= scenario.deadline
    return float(np.where(timely & (outcome.level >= 0), truth, 0.0).mean())


unit = st.floats(0, 1)


@st.composite
def batches(draw):
    """What a profile may say of batches of up to three images."""
    found = [1.0]
    for i in range(draw(st.integers(0, 2))):
        found.append(draw(st.floats(found[-1], i + 2)))
    return tuple(found)


@st.composite
def scenarios(draw, *, requests=30, types=2):
    """Any small valid scenario in which the workers have neither too much nor too little to do."""
    kinds = [f"g{i}" for i in range(draw(st.integers(1, types)))]
    variants = [f"v{i}" for i in range(draw(st.integers(1, 2)))]
    seconds = st.floats(0.2, 5)
    levels = []
    for i in range(draw(st.integers(1, 4))):
        name = variants[i % len(variants)]
        by_type = {kind: draw(seconds) for kind in kinds}
        # The first level of a variant begins from noise: another may stand in for it.
        start = i >= len(variants) and draw(st.booleans())
        levels.append(
            level(f"l{i}", by_type, variant=name, batches=draw(batches()), needs_start=start)
        )
    count = draw(st.integers(1, requests))
    gaps = draw(st.lists(st.floats(0, 3), min_size=count, max_size=count))
    pictures = draw(st.integers(1, 4))
    workers = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    row = st.lists(unit, min_size=len(levels), max_size=len(levels))
    return scenario(
        np.cumsum(gaps),
        levels=tuple(levels),
        workers=tuple(workers),
        deadline=draw(st.floats(0.5, 12)),
        prompt_of=np.array(
            draw(st.lists(st.integers(0, pictures - 1), min_size=count, max_size=count))
        ),
        prompts=prompts(draw(st.lists(row, min_size=pictures, max_size=pictures))),
        variation=draw(st.sampled_from([0.0, 0.02, 0.5])),
        switch_seconds={
            name: draw(st.floats(0, 5)) for name in dict.fromkeys(le.variant for le in levels)
        },
        switching_share=draw(unit),
        interval=draw(st.floats(0.5, 20)),
        delay=draw(st.floats(0, 3)),
        store=_store(draw),
        losses=_losses(draw, len(workers)),
        seed=draw(st.integers(0, 3)),
    )


def _store(draw):
    outages = ()
    if draw(st.booleans()):
        start, end = sorted((draw(st.floats(0, 40)), draw(st.floats(0, 40))))
        slowdown = draw(st.sampled_from([2.0, inf]))
        outages = (Outage(start=start, end=end + 0.1, slowdown=slowdown),)
    return Store(fetch_seconds=draw(st.floats(0, 0.4)), timeout=0.5, outages=outages)


def _losses(draw, workers):
    at = st.floats(0, 40)
    found = []
    for worker in range(workers):
        if draw(st.booleans()):
            start, end = sorted((draw(at), draw(at)))
            found.append(Loss(worker=worker, start=start, end=end + 0.1))
    return tuple(found)


def still():
    """A clock that stands."""
    return 0.0


def scaled(given, factor):
    """The same scenario with time told in another unit."""
    store = given.store
    return replace(
        given,
        levels=tuple(
            replace(le, seconds={g: s * factor for g, s in le.seconds.items()})
            for le in given.levels
        ),
        deadline=given.deadline * factor,
        arrivals=given.arrivals * factor,
        switch_seconds={v: s * factor for v, s in given.switch_seconds.items()},
        store=replace(
            store,
            fetch_seconds=store.fetch_seconds * factor,
            timeout=store.timeout * factor,
            outages=tuple(
                replace(o, start=o.start * factor, end=o.end * factor) for o in store.outages
            ),
        ),
        interval=given.interval * factor,
        delay=given.delay * factor,
        losses=tuple(
            replace(loss, start=loss.start * factor, end=loss.end * factor) for loss in given.losses
        ),
    )
