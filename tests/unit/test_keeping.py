"""What is worth keeping, and what goes first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core import keeping
from argus_core.keeping import Habits, Near

HABITS = Habits()
AMOUNTS = st.floats(0, 1e6)
FORM = {"uses": 2.0, "idle": 60.0, "left": 3600.0, "seconds": 3.0, "taken": 1e5}


def benefit(**changed):
    return float(keeping.benefit(**{**FORM, **changed}, habits=HABITS))


@settings(deadline=None)
@given(AMOUNTS, AMOUNTS)
def test_benefit_never_falls_with_uses_life_or_seconds_saved(one, other):
    low, high = sorted((one, other))
    for name in ("uses", "left", "seconds"):
        assert benefit(**{name: low}) <= benefit(**{name: high})


@settings(deadline=None)
@given(AMOUNTS, AMOUNTS)
def test_benefit_never_rises_with_idleness_or_bytes(one, other):
    low, high = sorted((one, other))
    for name in ("idle", "taken"):
        assert benefit(**{name: low + 1}) >= benefit(**{name: high + 1})


@settings(deadline=None)
@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_benefit_is_finite_and_never_negative(uses, idle, left):
    assert 0 <= benefit(uses=uses, idle=idle, left=left) < np.inf


@pytest.mark.parametrize("left", [0.0, -5.0])
def test_what_has_expired_is_of_no_benefit(left):
    assert benefit(left=left) == 0


def test_what_was_used_outlasts_what_was_not_for_as_long_as_its_uses_count():
    soon = benefit(uses=5.0, idle=120.0) - benefit(uses=0.0, idle=100.0)
    faded = float(keeping.faded(5.0, 20 * HABITS.half_life, HABITS))
    assert soon > 0
    assert benefit(uses=faded, idle=120.0) < benefit(uses=0.0, idle=100.0)


@settings(deadline=None)
@given(st.floats(0, 1e3), AMOUNTS, AMOUNTS)
def test_uses_fade_the_same_at_once_or_bit_by_bit(amount, first, then):
    at_once = keeping.faded(amount, first + then, HABITS)
    by_bits = keeping.faded(keeping.faded(amount, first, HABITS), then, HABITS)
    assert float(by_bits) == pytest.approx(float(at_once), abs=1e-9)


NEARS = st.builds(
    Near,
    similarity=st.floats(-1, 1),
    steps=st.sets(st.integers(1, 9), min_size=1).map(lambda some: tuple(sorted(some))),
    left=st.floats(0, 1),
)
SHARES = st.floats(0, 2)


def kept(steps, near=(), *, expected=1.0, least=0.0, filled=0.0):
    return keeping.worth_keeping(
        steps, near, expected=expected, least=least, filled=filled, habits=HABITS
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 9)), st.lists(NEARS), SHARES, SHARES, SHARES)
def test_what_is_kept_was_asked_for_in_ascending_order_once(steps, near, expected, least, filled):
    found = kept(steps, near, expected=expected, least=least, filled=filled)
    assert set(found) <= set(steps)
    assert list(found) == sorted(set(found))


def near(similarity=1.0, steps=(2, 5), left=1.0):
    return Near(similarity=similarity, steps=steps, left=left)


def test_repeat_of_what_is_there_is_not_kept_again():
    assert kept((2, 5), [near()]) == ()


def test_only_steps_that_are_missing_are_kept_of_a_repeat():
    assert kept((2, 5, 7), [near(steps=(2,)), near(steps=(7,))]) == (5,)


@pytest.mark.parametrize("other", [near(similarity=0.9), near(left=0.1)])
def test_unlike_or_soon_expiring_entry_spares_nothing(other):
    assert kept((2, 5), [other]) == (2, 5)


def test_all_is_kept_while_there_is_room_to_spare():
    assert kept((2,), expected=0.0, least=1.0, filled=0.5) == (2,)


def test_less_than_what_would_have_to_go_is_not_kept_in_a_full_store():
    assert kept((2,), expected=0.9, least=1.0, filled=0.9) == ()
    assert kept((2,), expected=1.1, least=1.0, filled=0.9) == (2,)


ENTRIES = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 100)), max_size=30)


@settings(deadline=None)
@given(ENTRIES, st.integers(-5, 2000), st.integers(-5, 40))
def test_eviction_frees_enough_and_no_more_than_it_must(entries, bytes_over, entries_over):
    benefits = np.array([worth for worth, _ in entries], float)
    taken = np.array([size for _, size in entries], np.int64)
    gone = keeping.to_evict(benefits, taken, bytes_over=bytes_over, entries_over=entries_over)

    def enough(some):
        return taken[some].sum() >= bytes_over and len(some) >= entries_over

    assert len(set(gone)) == len(gone)
    assert enough(gone) or len(gone) == len(entries)
    assert not len(gone) or not enough(gone[:-1])


@settings(deadline=None)
@given(ENTRIES, st.integers(1, 2000))
def test_nothing_goes_before_what_is_of_less_benefit(entries, bytes_over):
    benefits = np.array([worth for worth, _ in entries], float)
    taken = np.array([size for _, size in entries], np.int64)
    gone = keeping.to_evict(benefits, taken, bytes_over=bytes_over, entries_over=0)
    stay = np.setdiff1d(np.arange(len(entries)), gone)
    assert not len(gone) or not len(stay) or benefits[gone].max() <= benefits[stay].min()
