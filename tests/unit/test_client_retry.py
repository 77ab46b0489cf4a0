import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_client.retry import Retry, retry_delay
from argus_core.errors import DeadlineMissed, Exhausted, InvalidRequest, NotFound, Unavailable

RETRY = Retry(attempts=3, first_delay=0.1, factor=2, longest_delay=1)


def delay(error, *, attempt=1, remaining=60.0):
    return retry_delay(
        error, attempt=attempt, remaining=remaining, retry=RETRY, rng=random.Random(1)
    )


@pytest.mark.parametrize(
    "error", [InvalidRequest.one("prompt", "x"), NotFound("x"), DeadlineMissed("x"), Exhausted("x")]
)
def test_what_a_retry_cannot_mend_is_not_retried(error):
    assert delay(error) is None


def test_server_that_is_away_is_tried_again_with_growing_delays():
    error = Unavailable("gone", retry_after=None)
    assert 0.1 <= delay(error) <= 0.125
    assert 0.2 <= delay(error, attempt=2) <= 0.25


def test_attempts_are_bounded():
    assert delay(Unavailable("gone"), attempt=3) is None


def test_no_retry_that_could_not_be_in_time():
    assert delay(Exhausted("full", retry_after=10), remaining=9) is None


@given(st.floats(0.001, 1e4), st.integers(1, 2))
def test_no_delay_is_shorter_than_the_server_asked(asked, attempt):
    given_delay = delay(Exhausted("full", retry_after=asked), attempt=attempt, remaining=1e6)
    assert asked <= given_delay <= max(asked, 0.2) * 1.25
