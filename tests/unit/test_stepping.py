"""Between steps: who goes first, who waits, who is given up, and what has come to a halt."""

import pytest

from argus_core.stepping import (
    KINDS,
    MEASURED,
    WEDGED_UNKNOWN,
    Kind,
    StepTimes,
    Turn,
    company,
    hopeless,
    next_turn,
    wedged,
)

KIND = Kind(variant="v", width=64, height=64, rows=1)


def turns(*pairs):
    return [Turn(deadline=deadline, work=work) for deadline, work in pairs]


def test_the_earliest_deadline_goes_first():
    assert next_turn(turns((9, 1), (3, 1), (5, 1)), now=0) == 1


def test_a_late_long_image_yields_to_a_short_urgent_one():
    assert next_turn(turns((100, 50), (3, 1)), now=0, present=0) == 1


def test_what_is_under_way_is_stayed_with_while_nobody_is_late_for_it():
    assert next_turn(turns((100, 2), (9, 1)), now=0, present=0) == 0
    assert next_turn(turns((100, 2), (9, 1)), now=7, present=0) == 1


def test_nobody_yields_to_one_that_would_be_late_anyway():
    assert next_turn(turns((10, 8), (3, 5)), now=0, present=0) == 0
    assert next_turn(turns((10, 8), (3, 5)), now=0) == 0


def test_what_is_of_unknown_length_is_begun_once_to_learn_it():
    assert next_turn(turns((9, 0), (3, 0)), now=0, present=0) == 0
    assert next_turn(turns((9, 0), (3, 0)), now=0) == 1


def test_ties_go_to_the_earlier_in_the_list():
    assert next_turn(turns((5, 1), (5, 1)), now=0) == 0


@pytest.mark.parametrize(
    ("time_left", "together"),
    [(40, 3), (30, 3), (20, 2), (10, 1), (5, 3)],
)
def test_company_is_kept_while_the_most_urgent_is_in_time_with_it(time_left, together):
    seconds = (1.0, 2.0, 3.0)
    assert company(left=10, tail=0, time_left=time_left, seconds=seconds) == together


def test_company_of_unknown_cost_is_kept():
    assert company(left=10, tail=0, time_left=1, seconds=(1.0, None)) == 2


def test_an_image_is_given_up_only_when_its_quickest_steps_cannot_make_it():
    assert not hopeless(left=4, least=1.0, tail=0.5, time_left=4.5)
    reason = hopeless(left=4, least=1.0, tail=0.5, time_left=4.4)
    assert reason == "the deadline cannot be met: 4 steps of 1 s are left and 4.4 s to take them in"


def test_nothing_is_given_up_on_a_guess():
    times = StepTimes({"v": 100.0}, pixels=64 * 64)
    for _ in range(MEASURED - 1):
        times.learn(KIND, 100.0)
        assert not hopeless(left=1, least=times.least(KIND), tail=0, time_left=1)
    times.learn(KIND, 100.0)
    assert hopeless(left=1, least=times.least(KIND), tail=0, time_left=1)


def test_step_times_begin_with_the_profile_and_turn_to_what_is_measured():
    times = StepTimes({"v": 2.0}, pixels=64 * 64)
    assert times.usual(KIND) == 2.0
    assert times.usual(Kind(variant="v", width=128, height=64, rows=2)) == 8.0
    assert times.usual(Kind(variant="w", width=64, height=64, rows=1)) is None
    for seconds in (0.3, 0.2, 9.0):
        times.learn(KIND, seconds)
    assert (times.usual(KIND), times.least(KIND)) == (0.3, 0.2), "one slow step is not the rule"


def test_old_steps_are_forgotten():
    times = StepTimes({}, pixels=1)
    for seconds in (0.1, *[1.0] * 40):
        times.learn(KIND, seconds)
    assert times.least(KIND) == 1.0


def test_kinds_are_bounded():
    times = StepTimes({}, pixels=1)
    for width in range(KINDS + 10):
        times.learn(Kind(variant="v", width=width, height=1, rows=1), 1.0)
    assert len(times._seen) == KINDS
    assert times.usual(Kind(variant="v", width=0, height=1, rows=1)) is None


def test_a_step_has_come_to_a_halt_at_three_times_its_usual_and_never_below_the_floor():
    assert not wedged(since=29, usual=10, floor=5)
    assert wedged(since=31, usual=10, floor=5) == "a step has taken 31 s, where 10 s are usual"
    assert not wedged(since=4, usual=0.1, floor=5)
    assert wedged(since=6, usual=0.1, floor=5)
    assert not wedged(since=WEDGED_UNKNOWN, usual=None, floor=5)
    assert wedged(since=WEDGED_UNKNOWN + 1, usual=None, floor=5)
