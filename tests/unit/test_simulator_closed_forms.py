"""The simulator against what queueing theory knows exactly.

Theory is asked about the load that was really drawn, which differs a little from the one intended:
waits of many workers change ten times as much as the load.
"""

from heapq import heapify, heapreplace
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson as poisson_law

from argus_core.planning.queueing import erlang_c
from argus_core.simulator.engine import simulate
from argus_core.simulator.luck import luck_of
from simulator_support import Fixed, level, one_level, poisson, prompts, scenario, still

MANY = 100_000
WARM = 1_000
"""Requests that meet an emptier system than later ones, left out of means."""


def waits(given, outcome, seconds):
    """From arrival until the draw began, of those that came once the system was warm."""
    return (outcome.finished - given.arrivals - seconds * luck_of(given))[WARM:]


def load_of(given, drawn=None):
    """GPU seconds asked for in a second; `drawn` where a request takes another time than 1 s."""
    return (luck_of(given) if drawn is None else drawn).sum() / given.arrivals[-1]


def crommelin(servers, load):
    """Mean wait of M/D/c, in units of the service time."""
    i = np.arange(1, 2000)
    ahead = poisson_law.sf(i * servers - 1, i * load)
    more = poisson_law.sf(i * servers, i * load)
    return float((ahead - servers / load * more).sum())


def test_the_formula_of_m_d_c_is_that_of_m_d_1_for_one_worker():
    assert crommelin(1, 0.7) == pytest.approx(0.7 / (2 * 0.3))


@pytest.mark.parametrize("busy", [0.3, 0.7, 0.85])
def test_the_mean_wait_of_m_d_1(busy):
    given = one_level(poisson(busy / 2.0, MANY, seed=3), seconds=2.0)
    outcome = simulate(given, Fixed(), clock=still)
    busy = 2.0 * load_of(given)
    expected = 2.0 * busy / (2 * (1 - busy))
    assert waits(given, outcome, 2.0).mean() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("servers", "busy"), [(2, 0.7), (8, 0.8), (30, 0.9)])
def test_the_mean_wait_of_m_d_c(servers, busy):
    given = one_level(poisson(servers * busy, MANY, seed=4), workers=servers)
    outcome = simulate(given, Fixed(), clock=still)
    expected = crommelin(servers, load_of(given))
    assert waits(given, outcome, 1.0).mean() == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("variation", [0.3, 1.0])
def test_the_mean_wait_of_m_g_1(variation):
    busy = 0.6
    given = one_level(poisson(busy, MANY, seed=5), variation=variation)
    outcome = simulate(given, Fixed(), clock=still)
    busy = load_of(given)
    expected = busy * (1 + variation**2) / (2 * (1 - busy))  # Pollaczek and Khinchine
    assert waits(given, outcome, 1.0).mean() == pytest.approx(expected, rel=0.06)


EXPONENTIAL = 400
"""Levels whose seconds, drawn with equal chance, are exponential but for 0.3 % of the variance."""


class Lottery(Fixed):
    """Places each request at any level, with equal chance."""

    def __init__(self, drawn):
        super().__init__()
        self._drawn = iter(drawn)

    def start(self, setting):
        return [setting.duty(duty.loadout) for duty in super().start(setting)]

    def place(self, prompt, remaining, floor):
        return int(next(self._drawn))


def exponential_waits(servers, busy, seed):
    """Waits of a run of M/M/c whose mean service is a second, and its load."""
    edges = -np.log1p(-np.arange(EXPONENTIAL) / EXPONENTIAL)
    beyond = (edges + 1) * np.exp(-edges)  # integral of x exp(-x) from an edge on
    seconds = EXPONENTIAL * -np.diff(np.append(beyond, 0.0))
    given = scenario(
        poisson(servers * busy, MANY, seed=seed),
        levels=tuple(level(f"l{i}", s, variant="v") for i, s in enumerate(seconds)),
        prompts=prompts(np.ones((1, EXPONENTIAL))),
        workers=("h100",) * servers,
        deadline=1e6,
        interval=1e6,
    )
    drawn = np.random.default_rng(1000 + seed).integers(EXPONENTIAL, size=MANY)
    outcome = simulate(given, Lottery(drawn), clock=still)
    return (outcome.finished - given.arrivals - seconds[drawn])[WARM:], load_of(
        given, seconds[drawn]
    )


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.6), (4, 0.7), (16, 0.75)])
def test_the_waits_of_m_m_c(servers, busy):
    runs = [exponential_waits(servers, busy, seed) for seed in range(5)]
    waited = np.concatenate([waits for waits, _ in runs])
    load = np.mean([load for _, load in runs])
    chance, pace = erlang_c(servers, load), servers - load
    assert (waited > 1e-6).mean() == pytest.approx(chance, rel=0.02)
    assert waited.mean() == pytest.approx(chance / pace, rel=0.03)
    for time in (0.5 / pace, 1 / pace, 2 / pace):
        assert (waited > time).mean() == pytest.approx(chance * exp(-pace * time), rel=0.1)


class Watching(Fixed):
    """Notes how many requests are there, at the control loop's turns and when others come."""

    def start(self, setting):
        self.at_turns, self.at_arrivals = [], []
        return super().start(setting)

    def tick(self, crew, floor):
        self.at_turns.append(floor.waiting[0] + floor.busy[0])

    def place(self, prompt, remaining, floor):
        self.at_arrivals.append(floor.waiting[0] + floor.busy[0])
        return super().place(prompt, remaining, floor)


def test_littles_law_and_that_poisson_arrivals_see_time_averages():
    rate, servers = 3.4, 4
    arrivals = poisson(rate, MANY, seed=8)
    given = scenario(
        arrivals,
        levels=(level("only", 1.0),),
        workers=("h100",) * servers,
        prompts=prompts([[1.0]]),
        deadline=1e6,
        interval=0.731,
        variation=0.5,
    )
    policy = Watching()
    outcome = simulate(given, policy, clock=still)
    there = (MANY / arrivals[-1]) * (outcome.finished - arrivals).mean()
    during = policy.at_turns[: int(arrivals[-1] / given.interval)]
    assert np.mean(during) == pytest.approx(there, rel=0.01)
    assert np.mean(policy.at_arrivals) == pytest.approx(there, rel=0.01)


def test_the_utilisation_is_that_of_the_load():
    given = one_level(poisson(6.0, MANY), workers=8, variation=0.5)
    outcome = simulate(given, Fixed(), clock=still)
    assert outcome.busy_seconds == pytest.approx(luck_of(given).sum())
    time = outcome.finished.max()
    assert outcome.busy_seconds / (8 * time) == pytest.approx(6.0 / 8, rel=0.01)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=60),
    st.integers(1, 5),
    st.floats(0.1, 6),
    st.sampled_from([0.0, 0.02, 1.0]),
    st.integers(0, 5),
)
def test_nobody_waits_while_a_worker_is_free(gaps, servers, seconds, variation, seed):
    """First come first served by whoever is free first: Kiefer's and Wolfowitz's recursion."""
    given = one_level(
        np.cumsum(gaps), seconds=seconds, workers=servers, variation=variation, seed=seed
    )
    outcome = simulate(given, Fixed(), clock=still)
    free, expected = [0.0] * servers, []
    heapify(free)
    for arrival, luck in zip(given.arrivals, luck_of(given), strict=True):
        expected.append(max(arrival, free[0]) + seconds * luck)
        heapreplace(free, expected[-1])
    assert outcome.finished == pytest.approx(expected)
