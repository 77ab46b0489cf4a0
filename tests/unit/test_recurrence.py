"""How often a prompt is expected again: as often as prompts like it came again before."""

import random

import pytest

from argus_core.recurrence import Recurrence


def test_nothing_is_expected_of_prompts_that_never_come_again():
    recurrence = Recurrence()
    for number in range(500):
        assert recurrence.asked(number) == 0.0


def test_what_always_comes_again_is_expected_often_but_not_without_bound():
    recurrence = Recurrence()
    for _ in range(500):
        expected = recurrence.asked("the same")
    assert 10 < expected <= 20


def test_expectation_is_what_comes_to_pass():
    """Prompts that come a geometric number of times: each has the same to come, however old."""
    rng, recurrence, again = random.Random(1), Recurrence(), 0.6
    told, living, number = [], [], 0
    for _ in range(6000):
        if living and rng.random() < again:
            prompt = living.pop(rng.randrange(len(living)))
        else:
            prompt = number = number + 1
        told.append(recurrence.asked(prompt))
        living.append(prompt)
        living = living[-50:]
    # Of 6000 requests about 0.6 are repeats: 1.5 to come for each prompt on average, more for
    # those that were seen to repeat.
    assert sum(told[3000:]) / 3000 == pytest.approx(1.5, rel=0.25)


def test_the_more_often_it_came_the_more_is_expected_where_few_prompts_are_popular():
    rng, recurrence = random.Random(2), Recurrence()
    for number in range(3000):
        recurrence.asked(number if rng.random() < 0.7 else f"popular {rng.randrange(5)}")
    once = recurrence.expected(1)
    assert once < 0.5
    assert recurrence.expected(3) > 5 * once


def test_what_is_remembered_is_bounded_and_forgotten_prompts_begin_anew():
    recurrence = Recurrence(remembered=10)
    for number in range(1000):
        recurrence.asked(number % 20)
    assert len(recurrence._times) == 10
    assert recurrence.expected(1) == 0.0
