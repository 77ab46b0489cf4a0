"""A sample of the images served is judged on spare worker time, and never at real work's price."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from argus_core.errors import NotFound, Unavailable
from argus_protos.v1 import cluster_pb2
from argus_router.scoring import Judged, Scoring
from helpers import eventually
from router_support import (
    Rehearsal,
    ScriptedPredictor,
    ScriptedWorker,
    cluster_of,
    collect,
    image_of,
    predicting,
    staged,
)

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def predictor():
    scripted = ScriptedPredictor(best=1.0, begun=0.95, good=0.7, quick=0.6)
    scripted.offer("begun", similarity=0.5)
    return scripted


@pytest.fixture
def worker():
    return ScriptedWorker("w0", "large", "tiny")


@asynccontextmanager
async def judging(worker, predictor, *, share=1.0):
    """A router that judges all that it serves, unless told otherwise."""
    cluster = cluster_of(store={}, predictor={"scoredShare": share, "metric": "drawn"})
    async with (
        predicting(predictor) as address,
        staged(worker, cluster=cluster, predictor=address) as stage,
    ):
        yield stage


async def serve(stage, worker, **fields):
    """Have one image drawn that is the worker's next call; returns that."""
    before = len(worker.calls)
    call = stage.draw(**fields)
    await eventually(lambda: len(worker.calls) > before)
    worker.calls[before].finish()
    await collect(call)
    return worker.calls[before]


async def next_call(worker, count):
    await eventually(lambda: len(worker.calls) >= count)
    return worker.calls[count - 1]


async def judged(stage, outcome):
    return await stage.metric(f'argus_router_judged_total{{outcome="{outcome}"}}')


async def test_image_is_held_against_the_best_levels_of_its_seed_and_size(worker, predictor):
    async with judging(worker, predictor) as stage:
        served = await serve(stage, worker, level="good", seed=7)
        reference = await next_call(worker, 2)
        reference.finish()
        await eventually(lambda: predictor.labels)
        await eventually(lambda: judged(stage, "scored"))
    asked = reference.request
    assert (asked.variant, asked.schedule.steps, asked.seed) == ("large", 20, 7)
    assert (asked.prompt, asked.size) == (served.request.prompt, served.request.size)
    last = worker.scored[-1]
    assert (last.metric, last.prompt) == ("drawn", served.request.prompt)
    assert list(last.images) == [image_of(served.request), image_of(asked)]
    assert not last.references
    (label,) = predictor.labels
    assert (label.level, label.metric, label.model_version) == ("good", "drawn", "v1")
    assert label.quality == pytest.approx(0.9)
    assert label.predicted_quality == pytest.approx(0.7)
    assert not label.HasField("similarity")


async def test_label_tells_how_alike_the_start_was(worker, predictor):
    async with judging(worker, predictor) as stage:
        await serve(stage, worker, level="begun")
        reference = await next_call(worker, 2)
        reference.finish()
        await eventually(lambda: predictor.labels)
    assert not reference.request.HasField("start")
    assert predictor.labels[0].similarity == pytest.approx(0.5)


async def test_metric_that_holds_against_an_image_is_given_it(worker, predictor):
    worker.needs_reference = True
    async with judging(worker, predictor) as stage:
        await serve(stage, worker, level="good")
        reference = await next_call(worker, 2)
        reference.finish()
        await eventually(lambda: predictor.labels)
    assert list(worker.scored[-1].references) == [image_of(reference.request)] * 2


async def test_real_work_goes_first_and_the_image_is_judged_later(worker, predictor):
    async with judging(worker, predictor) as stage:
        await serve(stage, worker, level="good")
        interrupted = await next_call(worker, 2)
        call = stage.draw("two squares", level="quick")
        real = await next_call(worker, 3)
        assert real.request.prompt == "two squares"
        await eventually(lambda: interrupted.cancelled)
        await eventually(lambda: judged(stage, "interrupted"))
        # Nothing is judged while it is drawn.
        assert len(worker.live) == 2
        real.finish()
        await collect(call)
        again = await next_call(worker, 4)
        assert again.request.seed == interrupted.request.seed
        again.finish()
        await eventually(lambda: predictor.labels)


async def test_real_work_that_another_worker_can_do_interrupts_nothing(worker, predictor):
    other = ScriptedWorker("w1", "tiny")
    async with judging(worker, predictor) as stage:
        await other.start()
        stage.roster.put_nowait(frozenset({worker.address, other.address}))
        await stage.knows(worker, other)
        await serve(stage, worker, level="good")
        reference = await next_call(worker, 2)
        call = stage.draw("two squares", level="quick")
        (await next_call(other, 1)).finish()
        await collect(call)
        assert not reference.cancelled
        reference.finish()
        await eventually(lambda: predictor.labels)
        await other.die()


async def test_nothing_is_judged_on_a_worker_at_work_for_another_router(worker, predictor):
    async with judging(worker, predictor) as stage:
        served = stage.draw(level="good")
        first = await next_call(worker, 1)
        worker.report(in_flight=1)
        await stage.knows(worker)
        first.finish()
        await collect(served)
        assert len(worker.calls) == 1
        worker.report(in_flight=0)
        (await next_call(worker, 2)).finish()
        await eventually(lambda: predictor.labels)


@pytest.mark.parametrize(
    ("share", "fields"),
    [(0.0, {"level": "good"}), (1.0, {"level": "best"}), (1.0, {"negative_prompt": "a square"})],
)
async def test_what_is_no_part_of_the_sample_is_not_judged(worker, predictor, share, fields):
    async with judging(worker, predictor, share=share) as stage:
        await serve(stage, worker, **fields)
        # A request later the worker would have been asked.
        await serve(stage, worker, level="best")
        assert len(worker.calls) == 2
    assert not worker.scored


async def test_reference_is_drawn_once_though_the_worker_has_no_time_to_score(worker, predictor):
    worker.refuse_scores = Unavailable("it draws")
    async with judging(worker, predictor) as stage:
        await serve(stage, worker, level="good")
        (await next_call(worker, 2)).finish()
        await eventually(lambda: judged(stage, "interrupted"))
        worker.refuse_scores = None
        await eventually(lambda: predictor.labels)
    assert len(worker.calls) == 2


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NotFound("there are shapes and clip"), "failed"), (Unavailable("it draws"), "interrupted")],
)
async def test_metric_that_cannot_be_had_costs_no_request(worker, predictor, error, outcome):
    worker.automatic, worker.refuse_scores = True, error
    async with judging(worker, predictor) as stage:
        await collect(stage.draw(level="good"))
        await eventually(lambda: judged(stage, outcome))
        await collect(stage.draw(level="good"))
    assert not predictor.labels


async def test_images_that_wait_to_be_judged_are_bounded():
    stage, told = Rehearsal(("large", "tiny")), []
    (job,) = stage.ask(level="good")
    stage.run()
    job.model_version = "v1"

    async def never(_label):
        raise AssertionError("nobody is idle")

    spec = cluster_of(predictor={"scoredShare": 1.0}).spec
    scoring = Scoring(
        spec,
        workers=list,
        waiting=lambda: 0,
        label=never,
        freed=lambda: None,
        rng=random.Random(1),
        tell=told.append,
    )
    running = asyncio.create_task(scoring.run())
    for _ in range(40):
        scoring.served(job, cluster_pb2.Image(data=b"x"))
    assert told == [Judged.DROPPED] * 8
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
