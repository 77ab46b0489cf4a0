"""What a router learns of its workers, and that it holds for those who wait already."""

import pytest

from router_support import Rehearsal

BOTH = ("large", "tiny")
MOMENT = 0.15
"""Seconds after which what was learnt is reckoned with."""


def learnt(stage, level, *seconds):
    """Draw once for each, at a level that takes so long; the level as it stands afterwards."""
    for each in seconds:
        job = stage.ask(level=level)[0]
        worker = stage.workers[0]
        stage.waiting.outlook.observe(job, worker, each, stage.now)
        stage.run()
    stage.now += MOMENT
    view = stage.waiting.outlook.look(stage.waiting.queues, stage.now)
    job = stage.ask()[0]
    return next(c for c in view.candidates(job) if c.level.name == level)


def test_those_who_wait_take_what_was_learnt_since_they_came():
    stage = Rehearsal(BOTH)
    waiting = [stage.ask(f"number {n}", level="quick")[0] for n in range(11)]
    queues, outlook = stage.waiting.queues, stage.waiting.outlook
    assert queues.ahead().settled["tiny"] == pytest.approx(1.0)
    for _ in range(50):
        outlook.observe(waiting[0], stage.workers[0], 0.2, stage.now)
    outlook.look(queues, stage.now + MOMENT)
    assert queues.ahead().settled["tiny"] == pytest.approx(2.0, rel=0.01)
    assert queues.ahead().least["tiny"] == pytest.approx(2.0, rel=0.01)


def test_longest_is_remembered_and_forgotten_step_by_step():
    usual = [0.1] * 10
    assert learnt(Rehearsal(BOTH), "quick", *usual).overrun == pytest.approx(0.0, abs=1e-3)
    once = learnt(Rehearsal(BOTH), "quick", *usual, 0.2)
    assert once.longest == pytest.approx(0.2, rel=0.1)
    assert once.seconds < 0.13
    later = learnt(Rehearsal(BOTH), "quick", *usual, 0.2, *usual)
    assert 0.1 < later.longest < 0.17


def test_those_who_wait_can_be_drawn_quicker_once_all_workers_hold_a_quicker_variant():
    stage = Rehearsal(("large",), BOTH)
    for number in range(12):
        stage.ask(f"number {number}", minimum_quality=0.5)
    queues = stage.waiting.queues
    least = queues.ahead().least["large"]
    stage.hold(0, *BOTH)
    assert queues.ahead().least["large"] <= least / 5


def test_who_waits_for_a_variant_that_goes_is_decided_anew():
    stage = Rehearsal(("large",))
    waiting = [stage.ask(f"number {n}")[0] for n in range(3)]
    stage.hold(0, "tiny")
    stage.run()
    assert [job.settled.level.name for job in waiting] == ["best", "quick", "quick"]
    assert all(job.sink.result is not None for job in waiting)


def test_variants_that_the_document_does_not_know_are_left_alone():
    stage = Rehearsal(("large", "newer"), ("newest",), ())
    jobs = [stage.ask(f"number {n}")[0] for n in range(5)]
    stage.run()
    assert all(job.sink.result is not None for job in jobs)
