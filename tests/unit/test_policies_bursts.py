"""What becomes of a load that leaps faster than plans are made, in virtual time."""

import time
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from argus_core.policies.argus import Argus
from argus_core.simulator.arrivals import poisson
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Prompts
from argus_core.simulator.summary import summarise
from simulator_support import level, scenario

LEVELS = (
    level("large-24", 0.1, variant="large"),
    level("large-12", 0.06, variant="large"),
    level("small-8", 0.03, variant="small"),
    level("tiny-8", 0.018, variant="tiny"),
)
MEANS = np.array([0.85, 0.8, 0.7, 0.3])
SHARED = tuple(combinations(("large", "small", "tiny"), 2))
"""What workers hold where there are fewer than variants."""
QUIET, BURST = 30.0, 60.0
"""Requests a second before and after the leap; two workers carry 111 at the fastest level."""


def leap(workers, loadouts, *, most=BURST, seed=0):
    """From quiet to `most`, for as many times two workers, within two seconds; 20 s in all."""
    rng, scale = np.random.default_rng(seed), workers / 2
    rates = np.concatenate([np.full(6, QUIET), [(QUIET + most) / 2], np.full(7, most),
                            np.full(6, QUIET)])  # fmt: skip
    arrivals = poisson(scale * rates, 1.0, rng)
    truth = np.clip(1 - (1 - MEANS) * rng.lognormal(-0.1, 0.5, (500, 1)), 0, 1)
    return scenario(
        arrivals,
        levels=LEVELS,
        workers=("h100",) * workers,
        deadline=1.0,
        prompt_of=rng.integers(0, len(truth), len(arrivals)),
        prompts=Prompts(truth=truth, predicted=truth),
        variation=0.1,
        switch_seconds=dict.fromkeys(("large", "small", "tiny"), 0.06),
        loadouts=loadouts,
        seed=seed,
    )


def fared(given_scenario):
    return summarise(given_scenario, simulate(given_scenario, Argus(), clock=time.perf_counter))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("most", "violated", "quality"), [(60, 0.01, 0.73), (75, 0.03, 0.65)])
def test_who_hold_two_variants_draw_at_the_cheaper_while_a_burst_lasts(
    seed, most, violated, quality
):
    found = fared(leap(2, SHARED, most=most, seed=seed))
    assert found.violations < violated
    assert found.quality > quality


@pytest.mark.parametrize("seed", [0, 1])
def test_workers_that_load_quickly_follow_a_burst_within_seconds(seed):
    """Those that hold the fastest level beforehand violate nothing, at a quality of 0.3."""
    quick = fared(given := leap(6, (), most=75, seed=seed))
    assert quick.violations < 0.06
    assert quick.quality > 0.62
    slow = fared(replace(given, switch_seconds=dict.fromkeys(given.switch_seconds, 0.3)))
    assert quick.violations < slow.violations / 2
