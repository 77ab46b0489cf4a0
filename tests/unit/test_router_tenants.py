"""Tenants at a router, in virtual time: who is told apart, let in, and drawn how well."""

import pytest

from argus_core.errors import Exhausted
from argus_router.tenants import MOST_OTHERS, OTHERS, Tenants
from router_support import Rehearsal, cluster_of

BOTH = ("large", "tiny")


def tenants(*named, **defaults):
    return Tenants(cluster_of(tenants=list(named), tenantDefaults=defaults).spec)


def test_tenants_that_are_told_apart_are_bounded_in_number_and_labels():
    mine = tenants({"name": "shop"})
    keys = {mine.key(f"t{number}", 0.0) for number in range(1000)}
    assert len(keys) == MOST_OTHERS + 1
    assert OTHERS in keys
    assert mine.key("shop", 0.0) == "shop"
    assert (mine.label("shop"), mine.label("t1"), mine.label(OTHERS)) == ("shop", "other", "other")


def test_a_tenant_that_was_not_seen_for_long_makes_room_for_another():
    mine = tenants()
    for number in range(MOST_OTHERS):
        mine.key(f"t{number}", float(number))
    assert mine.key("new", 30.0) == "new"
    assert mine.key("newer", 30.0) == "newer"
    assert mine.key("t63", 30.0) == "t63"


def ask(mine, *, images=1, seconds=1.0, queued=0, now=0.0, key="a"):
    mine.require(key, images, seconds=seconds, queued=queued, now=now)


def test_images_that_wait_are_bounded_by_tenant():
    mine = tenants({"name": "a", "maxQueued": 2})
    ask(mine, queued=1)
    with pytest.raises(Exhausted, match="2 images waiting"):
        ask(mine, queued=2)
    ask(mine, queued=2, key="b")


def test_a_refusal_by_one_quota_takes_nothing_of_the_other():
    mine = tenants(maxImagesPerSecond=1.0, maxSecondsPerSecond=0.1)
    ask(mine, images=1, seconds=0.8)
    for _ in range(5):
        with pytest.raises(Exhausted, match="seconds of worker time"):
            ask(mine, images=1, seconds=0.8)
    ask(mine, images=9, seconds=0.1)


def test_seconds_are_counted_by_what_was_used():
    mine = tenants(maxSecondsPerSecond=1.0)
    ask(mine, seconds=1.0)
    mine.correct("a", 20.0, 0.0)
    with pytest.raises(Exhausted) as caught:
        ask(mine, seconds=1.0)
    assert caught.value.retry_after == pytest.approx(12.0)
    mine.correct("a", -20.0, 0.0)
    ask(mine, seconds=1.0)


def flood(stage, *, until, gap, tenant="noisy"):
    """Requests of a tenant, one each gap; how many were let in and refused."""
    counts = {"in": 0, "refused": 0}

    def arrive():
        try:
            stage.ask(f"{tenant} {stage.now}", tenant=tenant)
            counts["in"] += 1
        except Exhausted:
            counts["refused"] += 1
        if stage.now + gap < until:
            stage.at(stage.now + gap, arrive)

    stage.at(stage.now, arrive)
    return counts


def test_a_flood_pushes_nobody_out_and_makes_nobody_elses_pictures_worse():
    stage, jobs = Rehearsal(BOTH, BOTH), []
    noisy = flood(stage, until=60.0, gap=0.02)
    for number in range(10):
        stage.at(10.0 + 5 * number, lambda n=number: jobs.extend(stage.ask(f"q{n}", tenant="q")))
    stage.run()
    assert len(jobs) == 10
    assert {job.settled.level.name for job in jobs} == {"best"}
    assert all(job.sink.result is not None for job in jobs)
    assert max(job.began - job.arrived for job in jobs) <= 2.0
    assert noisy["refused"] > noisy["in"] > 100


def test_what_one_does_not_use_the_other_gets():
    alone, shared = Rehearsal(BOTH), Rehearsal(BOTH)
    first = flood(alone, until=60.0, gap=0.05)
    second = flood(shared, until=60.0, gap=0.05)
    shared.at(0.0, lambda: shared.ask("once", tenant="quiet"))
    alone.run()
    shared.run()
    assert second["in"] >= 0.9 * first["in"]


def test_a_job_that_is_cancelled_gives_back_what_was_counted():
    # The quota is good for two images at their quickest; one is drawn, the others go as they came.
    stage = Rehearsal(BOTH, cluster=cluster_of(tenantDefaults={"maxSecondsPerSecond": 0.02}))
    stage.ask("drawn")
    for number in range(20):
        (job,) = stage.ask(f"number {number}")
        stage.waiting.cancel(job)
    stage.ask("waits")
    with pytest.raises(Exhausted, match="seconds of worker time"):
        stage.ask("too many")
