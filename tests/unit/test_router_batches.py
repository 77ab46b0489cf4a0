"""The router fills a worker's slots where the document says that this gains, and not elsewhere."""

import pytest

from router_support import Rehearsal, cluster_of

GAINS, NONE = (1.0, 1.2, 1.5, 1.9), (1.0, 2.0, 3.0, 4.0)


def stage(loadout=("tiny",), **batches):
    pools = [{"name": "cpu", "workers": 1, "slots": 4}]
    return Rehearsal(loadout, cluster=cluster_of(pools=pools, batches=batches), slots=4)


def at_once(stage):
    return len(stage.workers[0].running)


def warm(stage, **fields):
    """The first image of a worker is drawn alone."""
    stage.ask("first", **fields)
    stage.run(stage.now + 3.0)
    stage.workers[0].warming = False


@pytest.mark.parametrize(
    ("batches", "drawn"), [(GAINS, 4), (GAINS[:2], 2), (NONE, 1), ((1.0,), 1), (None, 4)]
)
def test_as_many_are_drawn_at_once_as_gains(batches, drawn):
    router = stage(**({"quick": batches} if batches else {}))
    warm(router)
    for number in range(6):
        router.ask(f"number {number}")
    assert at_once(router) == drawn
    router.run()
    assert len(router.drawn) == 7
    assert all(job.sink.result for job in router.drawn)


def test_nobody_joins_who_is_drawn_by_another_variant_or_at_another_size():
    router = stage(("large", "tiny"), best=GAINS, good=GAINS, quick=GAINS)
    warm(router)
    router.ask("of tiny", level="quick")
    router.ask("of large", level="good")
    assert at_once(router) == 1
    router.ask("of tiny, behind the other", level="quick")
    assert (
        at_once(router) == 1
    )  # Else whoever waits for large would wait for as long as tiny's come.
    router.run()
    router.ask("as usual", level="quick")
    router.ask("a larger one", level="quick", size=(48, 32))
    assert at_once(router) == 1
    router.run()
    assert all(job.sink.result for job in router.drawn)


def test_who_joins_makes_nobody_late():
    router = stage(quick=(1.0, 1.8, 2.4, 2.8))
    warm(router)
    router.ask("in a hurry", deadline=0.6)
    router.ask("has time")
    assert at_once(router) == 2
    router.run()
    router.ask("in a great hurry", deadline=0.25)
    router.ask("has time")
    assert at_once(router) == 1
    router.run()
    assert all(job.sink.result for job in router.drawn)


def test_whoever_comes_expects_company_before_anything_was_seen():
    router = stage(quick=GAINS)
    (first,) = router.ask("first")
    assert first.expected == pytest.approx(0.1 * GAINS[-1])
