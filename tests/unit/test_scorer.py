"""Judging waits its turn, within bounds, and gives way to drawing."""

import asyncio
import io
import threading

import pytest
from PIL import Image

from argus_core.errors import ArgusError, DeadlineMissed, InvalidRequest, Unavailable
from argus_core.quality import Comparison
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker.scoring import MOST_WAITING, Scorer
from helpers import eventually


class Gated:
    """A metric whose scores wait at a gate; whoever opens it may say what is told."""

    comparison, scale, needs_reference = Comparison.WIN, 3.0, False

    def __init__(self):
        self.gate, self.begun, self.told = threading.Semaphore(0), 0, [0.5]

    def score(self, prompts, images, references):
        self.begun += 1
        assert self.gate.acquire(timeout=90)
        return self.told


class Stage:
    """A scorer, its metric, and what keeps the worker from scoring."""

    def __init__(self):
        self.metric, self.refusal, self.found = Gated(), "", []
        self.scorer = Scorer(lambda: self.refusal, device="cpu", threads=1, find=self.find)

    def find(self, name):
        self.found.append(name)
        return self.metric

    def ask(self, *, images=1, metric="gated", time_left=90.0, **fields):
        request = worker_pb2.ScoreRequest(metric=metric, images=[picture()] * images, **fields)
        return asyncio.ensure_future(self.scorer.score(request, time_left=time_left))


def picture(size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG")
    return cluster_pb2.Image(data=file.getvalue())


@pytest.fixture
async def stage():
    stage = Stage()
    yield stage
    stage.metric.gate.release(1000)
    stage.scorer.close()


async def test_one_is_scored_at_a_time_and_those_beyond_the_bound_are_told_to_come_again(stage):
    asked = [stage.ask() for _ in range(MOST_WAITING)]
    await eventually(lambda: stage.metric.begun)
    with pytest.raises(Unavailable) as error:
        await stage.ask()
    assert error.value.retry_after > 0
    assert stage.metric.begun == 1
    stage.metric.gate.release(MOST_WAITING)
    assert [(await one).scores for one in asked] == [[0.5]] * MOST_WAITING
    assert stage.found == ["gated"]


async def test_a_deadline_that_passes_frees_the_turn_and_scores_no_more_of_its_images(stage):
    hasty = stage.ask(images=16, time_left=1.0)
    await eventually(lambda: stage.metric.begun)
    with pytest.raises(DeadlineMissed):
        await hasty
    following = stage.ask()
    stage.metric.gate.release(2)
    assert (await following).scores == [0.5]
    assert stage.metric.begun == 2


async def test_scoring_gives_way_between_two_images_once_the_worker_draws(stage):
    asked = stage.ask(images=3)
    await eventually(lambda: stage.metric.begun)
    stage.refusal = "worker w0 draws 1 images"
    stage.metric.gate.release()
    with pytest.raises(Unavailable, match="draws"):
        await asked
    assert stage.metric.begun == 1


async def test_a_metric_that_runs_out_of_memory_is_let_go_of(stage):
    stage.metric.score = lambda *_: (_ for _ in ()).throw(MemoryError)
    for _ in range(2):
        with pytest.raises(ArgusError, match="memory"):
            await stage.ask()
    assert stage.found == ["gated"] * 2


@pytest.mark.parametrize("told", [[], [0.1, 0.2], [float("nan")]])
async def test_what_is_no_score_is_not_handed_on(stage, told):
    stage.metric.told = told
    stage.metric.gate.release()
    with pytest.raises(ArgusError, match="not a score"):
        await stage.ask()


async def test_a_reference_is_needed_for_each_image_and_of_its_size(stage):
    stage.metric.needs_reference = True
    stage.metric.gate.release(5)
    for references, field in [([], "references"), ([picture((8, 9))], "references[0]")]:
        with pytest.raises(InvalidRequest) as error:
            await stage.ask(references=references)
        assert [violation.field for violation in error.value.violations] == [field]
    assert (await stage.ask(references=[picture()])).scale == 3.0
