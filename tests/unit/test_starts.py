"""Cached starts: dear when the store is slow, closed when it fails, open again when it is back."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.starts import Starts

USUAL = 0.05


def failed(starts, times, *, at=0.0):
    for _ in range(times):
        starts.heard(0.5, found=False, now=at)


def tries(starts, *, start, end, answer=None, step=0.1):
    """When a request was let try, asked every `step` seconds; `answer` says how each ended."""
    granted = []
    for tick in range(round((end - start) / step)):
        now = start + tick * step
        if starts.probe(now):
            granted.append(now)
            if answer is not None:
                starts.heard(USUAL, found=answer, now=now)
    return granted


def test_a_fetch_adds_the_usual_seconds_at_first():
    assert Starts(USUAL).extra(0.0) == USUAL


def test_a_slow_store_makes_levels_dearer_and_a_quick_one_cheaper_again():
    starts = Starts(USUAL)
    for now in range(20):
        starts.heard(1.0, found=True, now=float(now))
    assert 0.9 < starts.extra(19.0) < 1.0
    for now in range(20, 40):
        starts.heard(USUAL, found=True, now=float(now))
    assert USUAL <= starts.extra(39.0) < 0.1


def test_what_is_expected_fades_to_the_usual_while_nothing_is_fetched():
    starts = Starts(USUAL)
    starts.heard(1.0, found=True, now=0.0)
    excess = [starts.extra(now) - USUAL for now in (0.0, 10.0, 20.0)]
    assert excess[1] == pytest.approx(excess[0] / 2)
    assert excess[2] == pytest.approx(excess[0] / 4)


def test_closes_when_half_of_the_last_ten_failed_and_not_before():
    starts = Starts(USUAL)
    failed(starts, 4)
    assert starts.extra(0.0) < inf
    failed(starts, 1)
    assert starts.closed
    assert starts.extra(0.0) == inf


def test_a_failure_in_three_does_not_close():
    starts = Starts(USUAL)
    for fetch in range(300):
        starts.heard(USUAL, found=fetch % 3 > 0, now=float(fetch))
        assert not starts.closed


def test_nobody_need_try_while_open():
    assert not Starts(USUAL).probe(100.0)


def test_tries_come_at_growing_bounded_intervals_while_the_store_is_down():
    starts = Starts(USUAL)
    failed(starts, 5)
    granted = tries(starts, start=0.0, end=200.0, answer=False)
    gaps = [later - earlier for earlier, later in pairwise([0.0, *granted])]
    assert gaps[:5] == pytest.approx([1, 2, 4, 8, 16], abs=0.11)
    assert gaps[5:] == pytest.approx([30] * len(gaps[5:]), abs=0.11)
    assert len(gaps) > 7


def test_opens_after_three_tries_that_found_theirs():
    starts = Starts(USUAL)
    failed(starts, 5)
    assert len(tries(starts, start=0.0, end=30.0, answer=True)) == 3
    assert starts.extra(30.0) == USUAL


def test_a_failed_try_begins_the_count_anew():
    starts = Starts(USUAL)
    failed(starts, 5)
    for found in (True, True, False, True, True):
        starts.heard(USUAL, found=found, now=100.0)
    assert starts.closed
    starts.heard(USUAL, found=True, now=100.0)
    assert not starts.closed


def test_opens_at_the_seconds_that_the_tries_took():
    starts = Starts(USUAL)
    failed(starts, 5)
    for seconds in (0.1, 0.2, 0.3):
        starts.heard(seconds, found=True, now=5.0)
    assert starts.extra(5.0) == pytest.approx(0.2)


def test_a_try_that_is_never_heard_of_does_not_keep_it_closed():
    starts = Starts(USUAL)
    failed(starts, 5)
    assert len(tries(starts, start=0.0, end=10.0)) > 3


def test_failures_that_were_on_their_way_do_not_lengthen_the_interval():
    starts = Starts(USUAL)
    failed(starts, 5)
    failed(starts, 20, at=0.5)
    assert starts.probe(1.0)


def test_closed_again_soon_after_it_waits_longer():
    starts = Starts(USUAL)
    failed(starts, 5)
    tries(starts, start=0.0, end=2.0, answer=True)
    failed(starts, 5, at=3.0)
    assert not starts.probe(4.5)
    assert starts.probe(5.0)


@pytest.mark.parametrize("usual", [-1.0, inf, float("nan")])
def test_seconds_that_cannot_be_are_refused_by_name(usual):
    with pytest.raises(InvalidRequest, match="usual"):
        Starts(usual)


@pytest.mark.parametrize("seconds", [-1.0, inf, float("nan")])
def test_fetches_that_cannot_be_teach_nothing(seconds):
    starts = Starts(USUAL)
    for _ in range(20):
        starts.heard(seconds, found=False, now=1.0)
    assert starts.extra(1.0) == USUAL


FETCHES = st.lists(
    st.tuples(st.floats(0, 5), st.booleans(), st.floats(0, 100)), min_size=1, max_size=200
)


@given(FETCHES)
def test_what_a_fetch_adds_is_never_less_than_nothing_nor_more_than_the_slowest(fetches):
    starts, now = Starts(USUAL), 0.0
    slowest = max(USUAL, *(seconds for seconds, _, _ in fetches), 0.0)
    for seconds, found, gap in fetches:
        now += gap
        starts.heard(seconds, found=found, now=now)
        extra = starts.extra(now + gap)
        assert extra == inf if starts.closed else 0 <= extra <= slowest + 1e-9


@given(FETCHES, st.floats(0, 100))
def test_whatever_happened_it_opens_within_a_minute_of_the_stores_recovery(fetches, gap):
    starts, now = Starts(USUAL), 0.0
    for seconds, found, pause in fetches:
        now += pause
        starts.heard(seconds, found=found, now=now)
    tries(starts, start=now, end=now + 60.0, answer=True, step=0.5)
    assert not starts.closed
