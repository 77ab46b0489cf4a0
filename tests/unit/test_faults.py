"""Ejecting workers, quarantine of prompts, hedging: what is decided about faults."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core.hedge import Late, gain, pays
from argus_core.outlier import Outliers
from argus_core.quarantine import Quarantine


def outliers(**fields):
    return Outliers(**{"after": 3, "share": 0.5, "seconds": 10.0, "most": 0.5} | fields)


def fail(mine, worker="a", *, times=1, now=0.0, of=4, grave=False):
    return [mine.failed(worker, now, of=of, grave=grave) for _ in range(times)][-1]


def test_failures_in_a_row_eject():
    mine = outliers()
    assert fail(mine, times=2) == 0.0
    assert fail(mine) == 10.0
    assert mine.ejected("a", 9.9)
    assert not mine.ejected("a", 10.1)


def test_success_breaks_the_row_but_not_the_share():
    mine = outliers()
    for now in range(5):
        assert fail(mine, now=float(now)) == 0.0
        mine.fine("a", float(now))
    # Six of eleven have failed.
    assert fail(mine) == 10.0


def test_a_grave_failure_ejects_at_once():
    assert fail(outliers(), grave=True) == 10.0


def test_ejection_grows_each_time_and_one_failure_on_probation_is_enough():
    mine = outliers()
    fail(mine, times=3)
    assert fail(mine, now=20.0) == 20.0
    assert fail(mine, now=50.0) == 30.0


def test_good_conduct_makes_the_next_ejection_shorter():
    mine = outliers()
    fail(mine, times=3)
    for now in range(20, 60):
        mine.fine("a", float(now))
    assert fail(mine, times=3, now=60.0) == 10.0


@settings(deadline=None)
@given(st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_never_all_and_never_more_than_the_share(of, most):
    mine = outliers(most=most)
    for worker in range(of):
        fail(mine, worker, times=5, of=of)
    ejected = sum(mine.ejected(worker, 1.0) for worker in range(of))
    assert ejected <= max(1, int(most * of))
    assert ejected < of
    assert ejected >= 1 or of == 1


def test_a_worker_that_is_gone_is_forgotten():
    mine = outliers()
    fail(mine, times=3)
    mine.gone("a")
    assert not mine.ejected("a", 1.0)
    assert fail(mine, times=2) == 0.0


def test_prompt_is_held_once_it_was_lost_with_different_workers():
    mine = Quarantine(losses=2, seconds=60.0)
    assert not mine.lost("p", "w0", 0.0)
    assert not mine.lost("p", "w0", 1.0)
    assert mine.held("p", 1.0) == 0.0
    assert mine.lost("p", "w1", 2.0)
    assert mine.held("p", 10.0) == pytest.approx(52.0)
    assert mine.held("p", 63.0) == 0.0
    assert mine.held("q", 2.0) == 0.0


def test_prompt_that_is_drawn_well_is_cleared():
    mine = Quarantine(losses=2, seconds=60.0)
    mine.lost("p", "w0", 0.0)
    mine.fine("p")
    assert not mine.lost("p", "w1", 1.0)


def test_losses_expire_and_the_table_is_bounded():
    mine = Quarantine(losses=2, seconds=60.0, most=10)
    mine.lost("p", "w0", 0.0)
    assert not mine.lost("p", "w1", 61.0)
    for number in range(100):
        mine.lost(number, "w0", 62.0)
    assert len(mine) == 10


LATE = Late(elapsed=4.0, longest=1.0, remaining=6.0, seconds=1.0, quality=1.0, price=0.0)


def test_hedge_pays_where_the_deadline_may_be_saved_by_an_idle_worker():
    assert pays(LATE, idle=1, slots=2)


@pytest.mark.parametrize(
    "change",
    [
        {"elapsed": 0.9},
        {"remaining": 0.9},
        {"remaining": 600.0},
        {"price": 0.5},
        {"quality": 0.0},
    ],
)
def test_hedge_does_not_pay(change):
    assert not pays(replace(LATE, **change), idle=1, slots=2)


def test_hedge_is_off_where_slots_are_scarce():
    assert not pays(LATE, idle=0, slots=2)
    assert not pays(LATE, idle=1, slots=8)


@settings(deadline=None)
@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.1, 100))
def test_gain_is_a_chance_that_grows_with_lateness(elapsed, remaining, seconds):
    late = replace(LATE, elapsed=elapsed, longest=0.0, remaining=remaining, seconds=seconds)
    assert 0 <= gain(late) <= 1
    assert gain(replace(late, elapsed=2 * elapsed)) >= gain(late)
