"""The paper's plateau as a scenario, settings made of scenarios, and floors made by hand."""

import numpy as np

from argus_core.policies.policy import Floor
from argus_core.simulator.scenario import Prompts
from argus_core.simulator.setting import setting_of
from simulator_support import level, poisson, scenario

PER_MINUTE = (14.29, 15.87, 17.86, 20.41, 23.81, 28.57)
"""Of one worker of the paper's at K = 0, 5, ... 25, in units of 1.65 x 1.2 images."""
QUALITIES = (1.0, 0.97046, 0.95808, 0.94378, 0.93235, 0.9152)
SMALLER = (("sd15", 0.9, 0.88), ("tiny", 0.4, 0.8))
"""Variant, seconds, quality."""


def plateau_levels(*, smaller=False):
    """The paper's six levels of one variant, and smaller models if asked for."""
    levels = [
        level(f"k{5 * i}", 60 / (1.2 * 1.65 * rate), variant="sdxl", needs_start=i > 0)
        for i, rate in enumerate(PER_MINUTE)
    ]
    if smaller:
        levels += [level(name, seconds) for name, seconds, _ in SMALLER]
    return tuple(levels)


def plateau(*, rate=391, minutes=10, multiple=3.0, smaller=False, seed=0, **changes):
    """Eight workers, Poisson arrivals by the minute; losses of prompts differ by a log-normal
    factor, the same for all levels of a prompt, and are predicted with an error as large."""
    rng = np.random.default_rng(seed)
    levels = plateau_levels(smaller=smaller)
    means = np.array([*QUALITIES, *(q for _, _, q in SMALLER)][: len(levels)])
    factor = rng.lognormal(-0.5, 1.0, (2000, 1))
    truth = np.clip(1 - (1 - means) * factor, 0, 1)
    predicted = np.clip(1 - (1 - truth) * rng.lognormal(0, 0.7, truth.shape), 0, 1)
    arrivals = poisson(rate / 60, int(rate * minutes), seed)
    defaults = {
        "levels": levels,
        "workers": ("h100",) * 8,
        "deadline": multiple * levels[0].seconds["h100"],
        "prompt_of": rng.integers(0, len(truth), len(arrivals)),
        "prompts": Prompts(
            truth=truth,
            predicted=predicted,
            similarity=rng.uniform(0.4, 1, len(truth)),
            confidence={len(levels) - 1: rng.uniform(0, 1, len(truth))},
        ),
        "variation": 0.02,
        "switch_seconds": {"sdxl": 47.0, "sd15": 21.7, "tiny": 11.8} if smaller else {},
        "seed": seed,
    }
    return scenario(arrivals, **{**defaults, **changes})


def started(policy, given):
    """A policy begun in a scenario's setting, its duties, and a floor where all serve by them."""
    setting = setting_of(given)
    duties = policy.start(setting)
    return setting, duties, floor_of(policy, setting, duties)


def floor_of(policy, setting, duties, *, now=0.0):
    """Workers idle, each serving the queues of its duty; None serves nothing."""
    floor = Floor(levels=len(setting.levels), queues=max(policy.queue_of) + 1)
    floor.now = now
    for duty, gpu in zip(duties, setting.workers, strict=True):
        for queue in {policy.queue_of[i] for i in duty.levels} if duty else ():
            floor.servers[queue] += 1
        for i in duty.levels if duty else ():
            floor.seconds[i] = setting.seconds(i, gpu)
    return floor
