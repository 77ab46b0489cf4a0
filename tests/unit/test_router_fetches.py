"""What the latent store's pace does to levels that begin from a latent, in virtual time."""

import pytest

from argus_router.answer import Start
from argus_router.fetches import USUAL
from router_support import KEY, Rehearsal, cluster_of, space_of

QUALITIES = {"best": 0.95, "begun": 1.0, "good": 0.9, "quick": 0.6}
STARTS = {
    "begun": Start(key=KEY, similarity=0.9, step=10, compatibility="any", space=space_of("large"))
}


@pytest.fixture
def stage():
    return Rehearsal(("large", "tiny"), cluster=cluster_of(store={}))


def ask(stage, **fields):
    """A request with a start; its one job, drawn."""
    (job,) = stage.ask(qualities=QUALITIES, starts=STARTS, **fields)
    stage.run()
    return job


def level(stage, **fields):
    return ask(stage, **fields).settled.level.name


def heard(stage, times, seconds, *, found):
    for _ in range(times):
        stage.waiting.outlook.fetched(seconds, found=found, now=stage.now)


def seconds_of(stage, name):
    waiting = stage.waiting
    known = waiting.outlook.look(waiting.queues, stage.now)._known
    return known.mean.seconds[waiting.outlook._index[name]]


def test_level_costs_its_own_seconds_and_the_fetch(stage):
    assert seconds_of(stage, "begun") == pytest.approx(0.5 + USUAL)
    heard(stage, 30, 0.2, found=True)
    assert seconds_of(stage, "begun") == pytest.approx(0.7, abs=0.01)
    assert seconds_of(stage, "best") == pytest.approx(2.0)


def test_what_is_learnt_of_a_level_leaves_the_fetch_out(stage):
    job = ask(stage)
    for _ in range(50):
        job.fetched = 0.3
        stage.waiting.outlook.observe(job, stage.workers[0], 0.8, stage.now)
    assert seconds_of(stage, "begun") == pytest.approx(0.5 + USUAL, rel=0.01)


def test_slow_store_makes_a_start_too_late_and_no_request(stage):
    assert level(stage, deadline=1.5) == "begun"
    heard(stage, 30, 2.0, found=True)
    assert level(stage, deadline=1.5) == "good"


def test_closed_starts_are_tried_by_one_job_at_a_time():
    stage = Rehearsal(*[("large", "tiny")] * 3, cluster=cluster_of(store={}))
    heard(stage, 10, 0.01, found=False)
    assert level(stage) == "best"
    # Long after it has closed, and all within the second between tries.
    jobs = [stage.ask(qualities=QUALITIES, starts=STARTS)[0] for _ in range(3)]
    assert [job.settled.level.name for job in jobs] == ["begun", "best", "best"]


def test_job_without_a_start_is_no_try(stage):
    heard(stage, 10, 0.01, found=False)
    stage.run(stage.now + 1.1)
    stage.ask()
    stage.run()
    assert level(stage) == "begun"


def test_start_that_was_lost_takes_its_kin_along(stage):
    other = Start(
        key=KEY[::-1], similarity=0.8, step=10, compatibility="any", space=space_of("large")
    )
    (job,) = stage.ask(qualities=QUALITIES, starts={**STARTS, "twin": STARTS["begun"], "o": other})
    job.lose(STARTS["begun"])
    assert job.starts == {"o": other}


def test_promises_do_not_rest_on_a_start(stage):
    """Who waits could be drawn in full: a latent may be gone when the time has come."""
    for number in range(3):
        stage.ask(f"number {number}", qualities=QUALITIES, starts=STARTS, minimum_quality=0.95)
    large = stage.waiting.queues.entries("large")
    assert large
    assert {stage.cluster.spec.ladder[entry.quickest].name for entry in large} == {"best"}
