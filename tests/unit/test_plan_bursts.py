"""Room for bursts, changes that must be believed, and counts that do not go back and forth."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.planning.bursts import Greatest, burst_of
from argus_core.planning.forecast import Count, forecast
from argus_core.planning.problem import Holding, Limits
from argus_core.planning.reversals import Reversals
from planning_support import counts, plan_of, two_levels


def of_rates(*rates, length=10.0):
    """Counts of neighbouring stretches, newest first."""
    return [
        Count(age=(i + 0.5) * length, length=length, arrivals=rate * length)
        for i, rate in enumerate(rates)
    ]


# The greatest of late


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 100)), min_size=1, max_size=40))
def test_the_greatest_is_that_of_all_values_remembered(steps):
    greatest, now, seen = Greatest(memory=20.0), 0.0, []
    for gap, value in steps:
        now += gap
        seen.append((now, value))
        assert greatest.of(value, now) == max(v for t, v in seen if t >= now - 20.0)


def test_a_burst_is_the_greatest_stretch_that_is_long_enough():
    found = burst_of(of_rates(1, 1, 9, 9, 1, 40, 1), length=20.0)
    assert found == pytest.approx((410 - 410**0.5) / 20)


def test_chance_makes_no_burst():
    noisy = of_rates(*(4 + 0.6 * (-1) ** i for i in range(20)))
    assert burst_of(noisy, length=10.0) < 4.1


def test_where_no_stretch_is_long_enough_all_that_there_is_counts():
    assert burst_of(of_rates(5.0), length=60.0) == pytest.approx((50 - 50**0.5) / 10)
    assert burst_of([], length=60.0) == 0.0


def test_a_trend_is_followed_less_the_farther_it_is():
    rising = of_rates(*(20.0 - 2 * i for i in range(8)), length=30.0)
    soon, later, last = (
        forecast(rising, ahead=ahead, half_life=20.0).ahead for ahead in (10.0, 60.0, 600.0)
    )
    now = forecast(rising, ahead=0.0, half_life=20.0).ahead
    assert now < soon < later <= last
    assert last - later < later - now


# Room for a burst

HARSH = 0.5
"""Chance of a burst: workers are spared for it at a notable cost."""


def with_burst(burst, *, chance=HARSH, **changes):
    problem = two_levels(rate=1.0, workers=10, burst=burst, **changes)
    return replace(problem, rules=replace(problem.rules, burst_chance=chance))


def test_a_burst_that_is_next_to_nothing_asks_for_nothing():
    """A solver takes no number that is as large as a worker's share of it."""
    assert counts(plan_of(with_burst(1e-17))) == counts(plan_of(with_burst(0.0)))


def test_a_burst_that_the_best_workers_cannot_carry_moves_some():
    calm, ready = plan_of(with_burst(0.0)), plan_of(with_burst(6.0))
    assert counts(calm) == {("main", ("large",)): 10}
    assert counts(ready)["main", ("small",)] >= 4
    assert ready.expected_quality > 0.99


def test_the_plan_says_how_much_of_a_burst_finds_no_room():
    plan = plan_of(with_burst(40.0))
    carried = re.search(
        r"a burst of 40, as there was lately, would find room for (\d+)%", plan.reason
    )
    assert 10 < int(carried[1]) < 30
    assert "burst" not in plan_of(with_burst(6.0)).reason


LARGE = (Holding(pool="main", loadout=("large",), workers=10),)


def test_where_a_burst_decides_the_reason_tells_of_it_and_of_no_prices():
    reason = plan_of(with_burst(40.0, standing=LARGE)).reason
    told = r"because a burst of 40, .* would find room for (\d+)% of its requests instead of (\d+)%"
    after, before = map(int, re.search(told, reason).groups())
    assert before < after < 100
    assert "was worth" not in reason
    assert reason.count("burst") == 1
    assert "mean quality, with shedding at its loss, goes from" in reason


def test_where_the_load_decides_the_reason_tells_what_seconds_were_worth():
    problem = replace(with_burst(6.0, standing=LARGE), rate=5.0)
    reason = plan_of(problem).reason
    worth = re.search(r"there a second of small was worth (\S+) and .* large (\S+);", reason)
    assert float(worth[1]) > float(worth[2])


def test_a_burst_that_hardly_ever_comes_costs_no_quality():
    assert counts(plan_of(with_burst(6.0, chance=0.0))) == {("main", ("large",)): 10}


# Changes must be believed


def test_a_gain_that_the_sample_cannot_tell_from_chance_changes_nothing():
    """One prompt of ten would gain by the change: that may as well be chance."""
    problem = two_levels(
        rate=1.0,
        standing=(Holding(pool="main", loadout=("small",), workers=10),),
        switch_seconds={},
        qualities=[[1.0, 1.0]] * 9 + [[1.0, 0.1]],
    )
    doubting = plan_of(replace(problem, rules=replace(problem.rules, doubt=2.0)))
    assert plan_of(problem).moves
    assert not doubting.moves
    assert "less than the" in doubting.reason


# No back and forth


def test_who_has_reversed_does_not_reverse_again_for_a_while():
    reversals = Reversals(memory=100.0)
    for now, large in ((0.0, 5), (30.0, 3), (60.0, 4)):
        reversals.took({"large": large, "small": 8}, now)
    assert reversals.limits(90.0) == {"large": Limits(minimum=4)}
    assert reversals.limits(161.0) == {}


def test_going_on_is_no_reversal():
    reversals = Reversals(memory=100.0)
    for now, large in ((0.0, 5), (30.0, 4), (60.0, 4), (90.0, 2)):
        reversals.took({"large": large}, now)
    assert reversals.limits(90.0) == {}


def test_a_fall_after_a_rise_bars_another_rise():
    reversals = Reversals(memory=100.0)
    for now, large in ((0.0, 1), (30.0, 6), (60.0, 4)):
        reversals.took({"large": large}, now)
    assert reversals.limits(60.0) == {"large": Limits(maximum=4)}
