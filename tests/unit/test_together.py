"""Answering together: everyone's own answer, nobody waits for a batch, and nothing stays behind."""

from contextlib import ExitStack

import pytest

from argus_predictor.together import Together


class Asked:
    """Answers with ten times the question, and notes what came together."""

    def __init__(self):
        self.batches = []

    def __call__(self, questions):
        self.batches.append(list(questions))
        return [10 * question for question in questions]


def test_one_that_comes_alone_is_answered_alone():
    asked = Asked()
    with Together(asked).entered(1) as answered:
        assert answered() == 10
    assert asked.batches == [[1]]


def test_all_that_wait_are_answered_in_one_go_each_with_its_own():
    asked = Asked()
    together = Together(asked)
    with ExitStack() as stack:
        answers = [stack.enter_context(together.entered(n)) for n in range(5)]
        assert [answered() for answered in answers] == [0, 10, 20, 30, 40]
    assert asked.batches == [[0, 1, 2, 3, 4]]


def test_no_more_than_so_many_are_answered_in_one_go():
    asked = Asked()
    together = Together(asked, most=2)
    with ExitStack() as stack:
        answers = [stack.enter_context(together.entered(n)) for n in range(5)]
        assert [answered() for answered in answers] == [0, 10, 20, 30, 40]
    assert [len(batch) for batch in asked.batches] == [2, 2, 1]


def test_whoever_has_left_is_not_answered():
    asked = Asked()
    together = Together(asked)
    with ExitStack() as stack:
        first = stack.enter_context(together.entered(1))
        with together.entered(2):
            pass
        third = stack.enter_context(together.entered(3))
        assert (third(), first()) == (30, 10)
    assert asked.batches == [[3, 1]]


def test_what_fails_fails_whoever_asked_and_the_next_goes_on():
    asked, broken = Asked(), [True]

    def answer(questions):
        if broken.pop() if broken else False:
            raise ZeroDivisionError
        return asked(questions)

    together = Together(answer)
    with together.entered(1) as answered, pytest.raises(ZeroDivisionError):
        answered()
    with together.entered(2) as answered:
        assert answered() == 20
