"""Expected seconds: priors, learning, outliers, forgetting; and when a request begins."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.estimate import FRESH, ServiceTimes, pixel_scale, slots_of, start_after
from argus_core.spec import ImageSize, Level

SECONDS = st.floats(0.001, 1000)


def begins(free_in, ahead):
    return start_after(slots_of(free_in, len(free_in)), ahead)


def level(name="a", **seconds):
    return Level(name=name, variant="v", steps=4, quality=1.0, seconds=seconds or {"cpu": 1.0})


def test_priors_come_first():
    times = ServiceTimes([level(cpu=2.0, h100=0.5)])
    assert times.expect("a", "cpu", 0) == 2.0
    assert times.expect("a", "h100", 0) == 0.5


def test_unknown_gpu_type_is_taken_for_the_slowest():
    assert ServiceTimes([level(cpu=2.0, h100=0.5)]).expect("a", "tpu", 0) == 2.0


@given(prior=SECONDS, truth=SECONDS)
def test_expectation_reaches_what_is_seen_however_wrong_the_prior(prior, truth):
    times = ServiceTimes([level(cpu=prior)])
    for now in range(150):
        times.observe("a", "cpu", truth, float(now))
    assert times.expect("a", "cpu", 150.0) == pytest.approx(truth, rel=0.05)


@given(outlier=st.floats(3, 1e9))
def test_one_outlier_moves_the_expectation_by_less_than_half(outlier):
    times = ServiceTimes([level()])
    for now in range(50):
        times.observe("a", "cpu", 1.0, float(now))
    times.observe("a", "cpu", outlier, 50.0)
    assert 1.0 < times.expect("a", "cpu", 50.0) < 1.5


@given(st.lists(st.one_of(SECONDS, st.sampled_from([0.0, -1.0, math.nan, math.inf]))))
def test_expectation_stays_between_what_was_believed_and_seen(observed):
    times = ServiceTimes([level()])
    for now, seconds in enumerate(observed):
        times.observe("a", "cpu", seconds, float(now))
    sane = [1.0, *(s for s in observed if 0 < s < math.inf)]
    expected = times.expect("a", "cpu", float(len(observed)))
    assert min(sane) * 0.999 <= expected <= max(sane) * 1.001


def test_level_not_seen_yet_is_corrected_as_its_kin_on_the_same_gpu_type():
    times = ServiceTimes([level("a", cpu=1.0, h100=0.1), level("b", cpu=3.0, h100=0.3)])
    for now in range(50):
        times.observe("a", "cpu", 2.0, float(now))
    assert times.expect("b", "cpu", 50) == pytest.approx(6.0, rel=0.05)
    assert times.expect("b", "h100", 50) == 0.3


def test_level_that_was_slow_once_is_not_closed_for_good():
    times = ServiceTimes([level("slow"), level("x"), level("y")])
    for now in range(20):
        times.observe("slow", "cpu", 50.0, float(now))
    for now in range(20, 3000, 10):
        times.observe("x", "cpu", 1.0, float(now))
        times.observe("y", "cpu", 1.0, float(now))
    assert times.expect("slow", "cpu", 3000.0) < 1.5


def test_what_nobody_has_seen_for_long_goes_back_to_the_profile():
    times = ServiceTimes([level("a"), level("b")])
    for now in range(20):
        times.observe("a", "cpu", 8.0, float(now))
    assert times.expect("b", "cpu", 20.0) > 4.0
    assert times.expect("a", "cpu", 20.0) > times.expect("a", "cpu", 3600.0) > 1.5
    for name in "ab":
        assert times.expect(name, "cpu", 40_000.0) == pytest.approx(1.0, abs=0.01)


def test_the_longest_that_it_took_is_forgotten_too():
    times = ServiceTimes([level()])
    for now in range(50):
        times.observe("a", "cpu", 1.0, float(now))
    times.observe("a", "cpu", 2.5, 50.0)
    assert times.told("a", "cpu", 50.0).longest == pytest.approx(2.5, rel=0.01)
    assert times.told("a", "cpu", 9000.0).longest == pytest.approx(1.0, abs=0.05)


def test_fresh_is_what_was_seen_lately():
    times = ServiceTimes([level()])
    assert not times.told("a", "cpu", 0).fresh
    times.observe("a", "cpu", 1.0, 0.0)
    assert times.told("a", "cpu", FRESH).fresh
    assert not times.told("a", "cpu", FRESH + 1).fresh


def test_pixels_scale_the_seconds():
    default = ImageSize(width=32, height=32)
    assert pixel_scale(None, default) == 1.0
    assert pixel_scale(ImageSize(width=64, height=64), default) == 4.0


def test_request_begins_when_the_first_slot_is_free_where_nothing_is_ahead():
    assert begins([3.0, 1.0, 2.0], 0.0) == 1.0


def test_work_ahead_fills_the_slots_evenly():
    assert begins([0.0, 0.0], 4.0) == 2.0
    assert begins([0.0, 10.0], 4.0) == 4.0
    assert begins([0.0, 1.0], 3.0) == 2.0


SLOTS = st.lists(st.floats(0, 100), min_size=1, max_size=8)


@given(SLOTS, st.lists(st.floats(0, 20), max_size=20))
def test_request_never_begins_later_than_told(slots, ahead):
    """Against the real thing: each job ahead goes to the slot that is free first."""
    free = sorted(slots)
    for seconds in ahead:
        free[0] += seconds
        free.sort()
    assert free[0] <= begins(slots, sum(ahead)) + 1e-6


@given(SLOTS, st.floats(0, 100), st.floats(0, 100))
def test_more_work_ahead_never_means_sooner(slots, ahead, more):
    assert begins(slots, ahead) <= begins(slots, ahead + more) + 1e-9
