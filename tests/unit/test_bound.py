"""The bound against what policies reach, and against optima worked out otherwise."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from argus_core.errors import InvalidRequest
from argus_core.simulator.bound import upper_bound
from argus_core.simulator.demand import Grid, demand_of
from argus_core.simulator.engine import simulate
from argus_core.simulator.luck import luck_of
from argus_core.simulator.scenario import Loss, Outage, Store
from simulator_support import (
    Dice,
    Fixed,
    level,
    one_level,
    poisson,
    prompts,
    scaled,
    scenario,
    scenarios,
    still,
    value,
)

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
ROUNDING = 1e-6


def bound_of(given, **options):
    return upper_bound(given, clock=still, **{"gap": 1e-7, **options})


# What policies reach


@relaxed
@given(scenarios(), st.integers(0, 9), st.sampled_from([1, 2, 7, 3000]))
def test_no_policy_beats_it_however_few_its_bins(given, seed, bins):
    bound = bound_of(given, bins=bins, gap=1e-4).quality
    policies = [Dice(seed), Dice(seed, refusals=0.0, moves=0.0)]
    policies += [Fixed(i) for i in range(len(given.levels))]
    for policy in policies:
        if isinstance(policy, Fixed) and not _all_can(given, policy.level):
            continue
        reached = value(given, simulate(given, policy, clock=still))
        assert reached <= bound + ROUNDING


def _all_can(given, at):
    return set(given.workers) <= set(given.levels[at].seconds)


@relaxed
@given(scenarios(types=1), st.sampled_from([1 / 3600, 1 / 60, 60.0]))
def test_the_time_unit_does_not_matter(given, factor):
    assert bound_of(scaled(given, factor)).quality == pytest.approx(
        bound_of(given).quality, abs=1e-5
    )


# Optima worked out by hand


def test_alone_a_request_gets_the_best_level_in_time():
    assert bound_of(scenario([0.0])).quality == pytest.approx(1.0)
    assert bound_of(scenario([0.0], deadline=3.0)).quality == pytest.approx(0.8)
    assert bound_of(scenario([0.0], deadline=0.5)).quality == 0.0


def test_two_at_once_share_the_time_there_is():
    # 5 s for two: one large (4 s) and one small (1 s).
    assert bound_of(scenario([0.0, 0.0], deadline=5.0)).quality == pytest.approx(0.9, abs=1e-5)


def test_half_a_large_one_counts_as_half():
    # 6 s for two: 2 small and 4 s left of the 6 that two exchanges of small for large would take.
    bound = bound_of(scenario([0.0, 0.0], deadline=6.0))
    assert bound.quality == pytest.approx((1.6 + 0.2 * 4 / 3) / 2, abs=1e-5)
    # What a second more would bring to the sum of qualities.
    assert bound.prices["h100"].max() == pytest.approx(0.2 / 3, abs=1e-4)


def test_idle_workers_cost_nothing():
    bound = bound_of(scenario([0.0, 20.0, 40.0]))
    assert bound.quality == pytest.approx(1.0)
    assert bound.prices["h100"].max() == pytest.approx(0.0, abs=1e-6)


def test_time_before_arrival_is_of_no_use():
    # One worker, idle until 100 s; then ten requests share 10 s.
    late = scenario([0.0] + [100.0] * 10)
    assert bound_of(late).quality == pytest.approx((1.0 + 10 * 0.8) / 11, abs=1e-5)


def test_batches_are_credited_with_their_gain():
    def best(batches):
        only = (level("only", 4.0, batches=batches),)
        many = scenario([0.0] * 20, deadline=5.0, levels=only, prompts=prompts([[1.0]]))
        return bound_of(many).quality

    assert best((1.0,)) == pytest.approx(1.25 / 20, abs=1e-5)
    assert best((1.0, 1.25)) == pytest.approx(2 / 20, abs=1e-5)
    # Three in 5.2 s would gain more, but nobody has as long as that.
    assert best((1.0, 1.25, 1.3)) == pytest.approx(2 / 20, abs=1e-5)


def test_each_gpu_type_works_at_its_own_speed():
    only = (level("only", {"fast": 1.0, "slow": 4.0}),)
    many = scenario(
        [0.0] * 20,
        deadline=8.0,
        levels=only,
        prompts=prompts([[1.0]]),
        workers=("fast", "slow"),
    )
    bound = bound_of(many)
    assert bound.quality == pytest.approx((8 + 2) / 20, abs=1e-5)
    assert bound.prices["fast"][0] == pytest.approx(1.0, abs=1e-3)
    assert bound.prices["slow"][0] == pytest.approx(0.25, abs=1e-3)


def test_lost_workers_are_not_counted_on():
    many = one_level([0.0] * 20, deadline=8.0, workers=2)
    lost = replace(many, losses=(Loss(worker=1, start=2.0, end=5.0),))
    assert bound_of(many).quality == pytest.approx(16 / 20, abs=1e-5)
    assert bound_of(lost).quality == pytest.approx(13 / 20, abs=1e-5)


def test_levels_from_a_start_are_closed_while_the_store_is_down():
    levels = (level("whole", 4.0, variant="v"), level("skip", 2.0, variant="v", needs_start=True))
    given = scenario(
        [0.0] * 4,
        deadline=4.0,
        levels=levels,
        prompts=prompts([[1.0, 1.0]]),
        store=Store(fetch_seconds=0.0),
    )
    down = replace(given, store=Store(outages=(Outage(start=0.0, end=5.0),)))
    slow = replace(given, store=Store(fetch_seconds=0.0, outages=(Outage(start=0.0, end=2.0),)))
    assert bound_of(given).quality == pytest.approx(2 / 4, abs=1e-5)
    assert bound_of(down).quality == pytest.approx(1 / 4, abs=1e-5)
    assert bound_of(slow).quality == pytest.approx(2 / 4, abs=1e-5)


def test_the_whole_level_may_be_drawn_in_the_batches_of_what_it_stands_in_for():
    levels = (
        level("whole", 4.0, variant="v"),
        level("skip", 2.0, variant="v", needs_start=True, batches=(1.0, 1.0)),
    )
    given = scenario(
        [0.0] * 4,
        deadline=4.0,
        levels=levels,
        prompts=prompts([[1.0, 0.0]]),
        store=Store(outages=(Outage(start=0.0, end=5.0),)),
    )
    assert bound_of(given).quality == pytest.approx(2 / 4, abs=1e-5)


# Optima worked out by another program


@st.composite
def tiny(draw):
    """Arrivals and deadline on whole seconds, so that bins of a second forgive nothing."""
    count = draw(st.integers(1, 6))
    arrivals = sorted(draw(st.lists(st.integers(0, 8), min_size=count, max_size=count)))
    ladder = draw(st.lists(st.floats(0.3, 4), min_size=1, max_size=3))
    row = st.lists(st.floats(0, 1), min_size=len(ladder), max_size=len(ladder))
    return scenario(
        np.array(arrivals, dtype=float),
        levels=tuple(level(f"l{i}", s) for i, s in enumerate(ladder)),
        prompts=prompts(draw(st.lists(row, min_size=count, max_size=count))),
        prompt_of=np.arange(count),
        deadline=float(draw(st.sampled_from([1, 2, 4, 8]))),
        workers=("h100",) * draw(st.integers(1, 2)),
        variation=draw(st.sampled_from([0.0, 0.5])),
    )


@relaxed
@given(tiny())
def test_it_is_the_best_sale_of_all_seconds(given):
    assert bound_of(given).quality == pytest.approx(_best_sale(given), abs=1e-5)


def _best_sale(given):
    """Share x[r,l,t] of request r drawn at level l in second t: the primal, in plain words."""
    truth, luck = given.prompts.truth[given.prompt_of], luck_of(given)
    count, horizon = len(given.arrivals), int(given.span)
    cells = []
    for r in range(count):
        for i, le in enumerate(given.levels):
            seconds = le.seconds["h100"] * luck[r]
            if seconds <= given.deadline:
                born = int(given.arrivals[r])
                cells += [(r, i, seconds, t) for t in range(born, born + int(given.deadline))]
    if not cells:
        return 0.0
    once, time = np.zeros((count, len(cells))), np.zeros((horizon, len(cells)))
    for k, (r, _, seconds, t) in enumerate(cells):
        once[r, k], time[t, k] = 1.0, seconds
    found = linprog(
        [-truth[r, i] for r, i, _, _ in cells],
        A_ub=np.vstack([once, time]),
        b_ub=np.concatenate([np.ones(count), np.full(horizon, len(given.workers))]),
    )
    assert found.status == 0, found.message
    return -found.fun / count


# Where it is tight


def test_a_fluid_overload_reaches_it_within_a_percent():
    # Twice what one level can carry: whoever is drawn is in time, and nobody idles.
    given = one_level(np.arange(16000) / 20, seconds=1.0, workers=10, deadline=4.0)
    bound = bound_of(given).quality
    assert bound == pytest.approx(10 * given.span / 16000, rel=1e-3)
    assert value(given, simulate(given, Fixed(), clock=still)) >= 0.99 * bound


def test_its_price_is_that_of_the_fluid_mix():
    # 20 a second, 40 workers: 4 s for one half and 1 s for the other would take 50.
    given = scenario(np.arange(8000) / 20, workers=("h100",) * 40)
    bound = bound_of(given, gap=1e-5)
    large = (40 * given.span / 8000 - 1) / 3
    assert bound.quality == pytest.approx(0.8 + 0.2 * large, abs=1e-4)
    inner = bound.prices["h100"][10:-20]
    assert np.median(inner) == pytest.approx(0.2 / 3, rel=1e-3)


def test_the_gap_is_told_and_kept():
    given = scenario(poisson(3.0, 2000), workers=("h100",) * 5)
    loose, tight = bound_of(given, gap=1e-2), bound_of(given, gap=1e-6)
    assert loose.gap <= 1e-2
    assert tight.gap <= 1e-6
    assert tight.quality <= loose.quality <= tight.quality + 1e-2


def test_cut_short_it_still_bounds():
    given = scenario(poisson(3.0, 500), workers=("h100",) * 5)
    assert bound_of(given, rounds=0).quality >= bound_of(given).quality


# Its parts


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=9),
    st.floats(0, 20),
    st.floats(0.1, 50),
)
def test_bins_cover_every_stretch(starts, length, step):
    start = np.array(starts)
    end = start + length
    grid = Grid(step=step, count=int(np.ceil(end.max() / step)) or 1)
    first, last = grid.bins(start, end)
    near = 1e-6 * step * (1 + end / step)
    assert (first * step <= start + near).all()
    assert ((last + 1) * step >= end - near).all()
    assert (first <= last).all()


def test_a_level_too_slow_for_the_deadline_is_closed():
    given = scenario([0.0, 1.0], deadline=3.0)
    seconds = demand_of(given, Grid(step=1.0, count=4)).seconds[:, :, 0]
    assert seconds.tolist() == [[inf, 1.0], [inf, 1.0]]


def test_invalid_input_is_refused_by_name():
    with pytest.raises(InvalidRequest, match="deadline"):
        upper_bound(scenario(deadline=-1.0), clock=still)
