"""The router's decisions in virtual time: prices, promises, and that who came in is in time."""

import random
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core.errors import ArgusError, DeadlineMissed, Exhausted, InvalidRequest
from argus_router.job import JobState
from argus_router.prices import Prices
from argus_router.request import Band
from router_support import Rehearsal, cluster_of

BOTH = ("large", "tiny")


def drawn(jobs):
    """The level of each; all must have been drawn in time."""
    assert [str(job.sink.error) for job in jobs if job.sink.error] == []
    assert all(job.sink.result is not None for job in jobs)
    return [job.settled.level.name for job in jobs]


def arrivals(stage, rate, seconds, *, seed=0, **asked):
    """Have requests come at random; the jobs of those let in, as they come."""
    rng, jobs, at = random.Random(seed), [], 0.0

    def arrive():
        fields = {name: each(rng) for name, each in asked.items()}
        jobs.extend(stage.ask(f"number {len(jobs)}", **fields))

    while at < seconds:
        stage.at(at, arrive)
        at += rng.expovariate(rate)
    return jobs


def test_burst_moves_prompts_down_the_ladder_and_back():
    stage = Rehearsal(BOTH)
    burst = [stage.ask(f"number {n}")[0] for n in range(60)]
    prices = [job.settled.price for job in burst]
    stage.run()
    after = stage.ask("a blue circle")
    levels = Counter(drawn(burst))
    assert levels["quick"] > levels["best"] >= 1
    assert prices[0] == 0 < prices[5] < prices[-1]
    stage.run()
    assert drawn(after) == ["best"]
    assert after[0].settled.price == 0.0


def test_prices_serve_a_steady_load_better_than_the_best_level_in_time():
    stage = Rehearsal(BOTH)
    jobs = arrivals(stage, rate=1.0, seconds=300)
    stage.run()
    levels = Counter(drawn(jobs))
    # Twice what the worker can do at best: most are drawn well, hardly one at the last moment.
    assert levels["quick"] < len(jobs) / 10
    assert levels["good"] > levels["best"]


def test_prompts_that_lose_least_move_first():
    def qualities(rng):
        return {"best": 1.0, "good": 0.9, "quick": rng.choice([0.1, 0.85])}

    stage = Rehearsal(BOTH)
    jobs = arrivals(stage, rate=2.0, seconds=200, qualities=qualities)
    stage.run()
    drawn(jobs)
    quick = [job for job in jobs if job.settled.level.name == "quick"]
    tough = [job for job in quick if job.qualities["quick"] == 0.1]
    assert len(quick) > len(jobs) / 3
    assert len(tough) < len(quick) / 5


def test_no_burst_moves_a_prompt_below_its_minimum_quality():
    stage = Rehearsal(BOTH)
    choosy = [stage.ask(f"choosy {n}", minimum_quality=0.8)[0] for n in range(5)]
    burst = [stage.ask(f"number {n}")[0] for n in range(60)]
    stage.run()
    assert "quick" not in drawn(choosy)
    assert "quick" in drawn(burst)


@pytest.mark.parametrize(("pace", "count"), [(0.5, 100), (1.2, 100), (2.0, 75)])
def test_machine_that_is_not_as_fast_as_the_document_says_makes_nobody_late(pace, count):
    stage = Rehearsal(BOTH, pace=pace)
    burst = [stage.ask(f"number {n}")[0] for n in range(count)]
    stage.run()
    assert "best" in drawn(burst)


def test_images_that_take_unequally_long_are_in_time():
    rng = random.Random(1)
    stage = Rehearsal(
        BOTH,
        BOTH,
        takes=lambda job: job.settled.level.seconds["cpu"] * rng.lognormvariate(0, 0.3),
    )
    jobs = arrivals(stage, rate=4.0, seconds=200)
    stage.run()
    levels = Counter(drawn(jobs))
    assert levels["good"] + levels["best"] > len(jobs) / 5


def test_seconds_are_not_spent_on_worse_pictures_of_another_variant():
    cluster = cluster_of(seconds={"quick": 1.0})
    stage = Rehearsal(BOTH, cluster=cluster)
    jobs = [stage.ask(f"number {n}")[0] for n in range(15)]
    stage.run()
    assert "quick" not in drawn(jobs)


def test_who_comes_when_told_is_served():
    stage = Rehearsal(("tiny",), pace=0.9)
    asked, served = Counter(), []

    def come(number):
        asked[number] += 1
        try:
            served.extend(stage.ask(f"number {number}", deadline=1.0))
        except Exhausted as refused:
            stage.at(stage.now + refused.retry_after, lambda: come(number))

    for number in range(30):
        come(number)
    stage.run()
    assert len(drawn(served)) == 30
    # Places are promised as if half came back, until it is seen that all do.
    assert max(asked.values()) <= 4
    assert sum(times <= 2 for times in asked.values()) >= 20
    assert sum(times == 2 for times in asked.values()) >= 10


def test_for_who_is_refused_nobody_reckons_what_a_second_costs(monkeypatch):
    stage = Rehearsal(("tiny",))
    while not stage.waiting.crowded:
        with suppress(Exhausted):
            stage.ask("a red circle", deadline=1.0)
    reckoned = []
    monkeypatch.setattr(Prices, "_renew", lambda *_: reckoned.append(stage.now))
    with pytest.raises(Exhausted, match="a place is kept for it") as refused:
        stage.ask("another", deadline=1.0)
    assert reckoned == []
    stage.run(stage.now + refused.value.retry_after)
    reckoned.clear()
    assert stage.waiting.crowded
    stage.ask("another", deadline=1.0)
    assert reckoned == [stage.now]


def test_who_goes_first_is_refused_rather_than_that_others_are_late():
    stage = Rehearsal(("large",))
    waiting = [stage.ask(f"number {n}", level="best")[0] for n in range(8)]
    # Half of the time that those who wait have in hand is a newcomer's that goes first.
    waiting += stage.ask("high", level="best", band=Band.HIGH)
    with pytest.raises(Exhausted, match="would make others late"):
        stage.ask("higher", level="best", band=Band.HIGH)
    stage.run()
    drawn(waiting)


def test_one_workers_time_has_one_price_whatever_it_draws_with_it():
    stage = Rehearsal(("large",), BOTH, ("tiny",))
    jobs = [stage.ask(f"number {n}")[0] for n in range(40)]
    view = stage.waiting.outlook.look(stage.waiting.queues, stage.now)
    anywhere = {c.level.variant: c.price for c in view.candidates(jobs[-1])}
    here = {c.price for c in view.here(jobs[-1], stage.workers[1])}
    assert len(set(anywhere.values())) == 2
    assert here == {max(anywhere.values())}


def tried(job):
    """Whether it was begun to see whether the expectation is wrong."""
    return "not known well yet" in job.settled.reason


ASKS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5, 3.0]),
        st.fixed_dictionaries(
            {
                "deadline": st.sampled_from([0.05, 0.5, 3.0, 8.0, 20.0, 60.0]),
                "band": st.sampled_from(Band),
                "count": st.sampled_from([1, 1, 1, 4]),
                "minimum_quality": st.sampled_from([0.0, 0.0, 0.5, 0.95]),
                "level": st.sampled_from([None, None, None, "best", "good", "quick"]),
            }
        ),
    ),
    max_size=60,
)
"""Seconds since the one before, and what is asked."""


@settings(max_examples=200, deadline=None)
@given(
    ASKS,
    st.sampled_from(
        [[BOTH], [BOTH] * 3, [("large",)] * 2, [("tiny",)], [("large",), BOTH, ("tiny",)]]
    ),
)
def test_who_is_let_in_is_in_time_if_images_take_what_is_expected(asks, loadouts):
    stage, jobs, at = Rehearsal(*loadouts), [], 0.0
    refused = []

    def ask(fields):
        try:
            jobs.extend(stage.ask(f"number {len(jobs)}", **fields))
        except ArgusError as error:
            refused.append(error)

    for gap, fields in asks:
        at += gap
        stage.at(at, lambda fields=fields: ask(fields))
    stage.run()
    # Undecided are those whose variant nobody holds; tried are those that could hardly be in time.
    served = [job for job in jobs if job.decision is not None and not tried(job)]
    drawn(served)
    for job in served:
        assert job.state is JobState.ENDED
        assert job.began + job.expected <= job.deadline + 1e-9
        assert job.settled.quality >= job.terms.minimum_quality
        assert job.terms.request.level in {None, job.settled.level.name}
    assert all(isinstance(j.sink.error, DeadlineMissed) for j in jobs if j.decision is None)
    for error in refused:
        assert isinstance(error, Exhausted | DeadlineMissed | InvalidRequest)
        assert error.retry_after is None or error.retry_after > 0


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted),
    st.integers(1, 60),
)
def test_more_that_wait_never_move_a_prompt_up_the_ladder(qualities, count):
    quick, good, best = qualities
    told = {"best": best, "good": good, "quick": quick}
    stage, taken = Rehearsal(BOTH), []
    for number in range(count):
        try:
            taken += stage.ask(f"number {number}", qualities=told)
        except Exhausted:
            break
    seconds = [job.settled.seconds for job in taken]
    assert seconds == sorted(seconds, reverse=True)


@pytest.mark.parametrize(
    "loadouts", [[BOTH], [BOTH, BOTH], [("large",), ("tiny",)], [BOTH, ("tiny",)]]
)
def test_what_was_decided_just_now_would_be_decided_again(loadouts):
    told = []
    for again in (False, True):
        stage = Rehearsal(*loadouts, slots=2)
        if again:
            stage.waiting._holds = lambda _job: False
        jobs = arrivals(stage, rate=1.2, seconds=40)
        stage.run()
        told.append([(job.worker, job.began, job.expected, job.settled) for job in jobs])
    assert told[0] == told[1]


def test_a_decision_holds_only_where_nothing_else_waits_and_nothing_has_changed():
    stage, kept = Rehearsal(("large",), slots=2), []
    stage.now, stage.workers[0].warming = 1.0, False
    holds = stage.waiting._holds
    stage.waiting._holds = lambda job: kept.append(holds(job)) or kept[-1]
    stage.ask()
    assert kept == [True]
    stage.ask(count=2)
    assert kept == [True, False]
    stage.run()
    stage.hold(0)
    stage.ask()
    assert kept == [True, False, False]
    stage.hold(0, "large")
    assert kept == [True, False, False, False]
