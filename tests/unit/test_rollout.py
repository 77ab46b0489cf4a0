"""A plan is carried out a few workers at a time, and somebody always serves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.rollout import Post, next_switches, waiting
from argus_core.states import WorkerPhase

READY, FAILED, LOADING = WorkerPhase.READY, WorkerPhase.FAILED, WorkerPhase.LOADING
A, B = ("a",), ("b",)


def posts(*workers):
    return {f"w{i}": worker for i, worker in enumerate(workers)}


def to_b(phase=READY, busy=0):
    return Post(phase=phase, assigned=A, wanted=B, busy=busy)


def stays(phase=READY):
    return Post(phase=phase, assigned=A, wanted=A)


def test_nobody_switches_who_holds_what_it_shall():
    assert next_switches(posts(stays(), stays(LOADING), stays(FAILED))) == []


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (3, 1), (7, 1), (8, 2), (12, 3)])
def test_a_quarter_of_the_workers_switch_at_a_time_and_one_at_least(workers, at_once):
    assert next_switches(posts(*[to_b()] * workers)) == [f"w{i}" for i in range(at_once)]


def test_those_that_serve_and_have_yet_to_switch_are_known():
    crew = posts(to_b(), to_b(), to_b(LOADING), to_b(FAILED), to_b(None), stays())
    assert waiting(crew, ["w0"]) == {"w1": B}


def test_those_that_switch_already_count():
    assert next_switches(posts(to_b(LOADING), to_b(), to_b(), to_b())) == []


def test_the_last_that_is_ready_waits_for_those_that_will_be():
    assert next_switches(posts(to_b(), stays(None))) == []
    assert next_switches(posts(to_b(), stays(FAILED))) == ["w0"]


def test_the_only_worker_may_switch():
    assert next_switches(posts(to_b())) == ["w0"]


def test_who_failed_goes_first_and_then_the_least_busy():
    assert next_switches(posts(to_b(busy=2), to_b(FAILED), to_b(busy=1))) == ["w1"]
    assert next_switches(posts(to_b(busy=2), to_b(busy=1), stays())) == ["w1"]


def test_a_worker_is_not_told_again_while_it_switches_or_is_lost():
    assert next_switches(posts(to_b(None), stays(), stays())) == []


some_posts = st.builds(
    Post,
    phase=st.sampled_from([*WorkerPhase, None]),
    assigned=st.sampled_from([A, B]),
    wanted=st.sampled_from([A, B]),
    busy=st.integers(0, 3),
)


@given(st.lists(some_posts, min_size=2, max_size=12))
def test_whoever_serves_is_never_taken_away_whole(workers):
    told = [posts(*workers)[name] for name in next_switches(posts(*workers))]
    ready = sum(post.phase is READY for post in workers)
    taken = sum(post.phase is READY for post in told)
    coming = len(told) - taken + sum(p.phase in (None, LOADING) for p in workers)
    assert len(told) <= max(1, len(workers) // 4)
    assert taken < ready or not taken or (ready == 1 and not coming)
