"""Retraining while serving: for the better only, by what was learnt, and never in the way."""

import asyncio
import json
import random

import pytest

from argus_core.profile.document import parse_profile
from argus_core.spec import Level
from argus_predictor import heads
from argus_predictor.answer import Answers
from argus_predictor.drift import Drift
from argus_predictor.encoder import Encoder
from argus_predictor.labels import Label, Labels
from argus_predictor.metrics import Metrics
from argus_predictor.retrain import ENOUGH, ENOUGH_DRIFTED, Retraining, is_due
from argus_predictor.service import Predictor
from argus_predictor.training.making import train
from argus_predictor.training.network import Recipe
from argus_predictor.training.splitting import kept_apart
from argus_predictor.versions import Versions
from helpers import eventually
from profile_support import document, row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LADDER = tuple(
    Level(name=name, variant=variant, steps=steps, quality=quality, seconds={"any": seconds})
    for name, variant, steps, quality, seconds in (
        ("dear", "big", 8, 1.0, 0.1),
        ("cheap", "small", 4, 0.5, 0.02),
    )
)
WORDS = ("plain", "intricate")


def world(easy):
    """A measurement in which the cheap level draws prompts with one word well, and no others."""
    prompts = [
        row(f"{word} thing number {n}", [0, 1], [1, 1], [1, 1] if word == easy else [0, 0])
        for n in range(130)
        for word in WORDS
    ]
    return document(quality={**document()["quality"], "prompts": prompts}, starts=[])


def labels(easy, version, count, *, predicted=0.5):
    """What served images were worth in that world."""
    rng = random.Random(5)
    return [
        Label(
            prompt=f"{word} thing number {rng.randrange(1000)}",
            level="cheap",
            quality=1.0 if word == easy else 0.0,
            predicted=predicted,
            similarity=None,
            metric="shapes",
            version=version,
        )
        for _ in range(count // 2)
        for word in WORDS
    ]


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load()


@pytest.fixture(scope="module")
def head(tmp_path_factory, encoder):
    """A head that was trained where plain prompts are easy."""
    folder = tmp_path_factory.mktemp("head")
    trained = train(
        parse_profile(world("plain")), embed=encoder.embed, recipe=Recipe(members=2, epochs=8)
    )
    heads.save(trained.head, folder)
    return folder


@pytest.fixture
def predictor(tmp_path, encoder, head):
    """One that serves that head, and learns."""
    drift = Drift(level.name for level in LADDER)
    made = Predictor(
        answers=Answers(LADDER, encoder=encoder.name, neighbours=None, bias=drift),
        encoder=encoder,
        drift=drift,
        metrics=Metrics(level.name for level in LADDER),
        labels=Labels(tmp_path / "labels.sqlite"),
        versions=Versions(tmp_path / "heads", given=str(head)),
    )
    made.start()
    yield made
    made.close()


def retraining(predictor, folder, profile, **settings):
    file = folder / "profile.json"
    file.write_text(json.dumps(profile))
    return Retraining(predictor, profile=file, scratch=folder, **settings)


async def test_a_head_that_learnt_how_things_are_is_put_to_use_and_the_old_one_can_come_back(
    predictor, tmp_path
):
    before = predictor.head.version
    assert await retraining(predictor, tmp_path, world("intricate")).train()
    after = predictor.head.version
    assert after != before
    assert set(predictor.versions.kept()) == {before, after}
    back = await predictor.swap(predictor.versions.load(before))
    assert back.previous_version == after
    assert predictor.head.version == before


async def test_a_head_that_is_no_better_is_not_put_to_use(predictor, tmp_path):
    before = predictor.head.version
    # What it learnt is false, but not of the prompts that tell which head is better.
    learnt = [x for x in labels("intricate", before, 2000) if not kept_apart(x.prompt)]
    await predictor.desk.do(lambda: predictor.labels.add(learnt), within=60.0)
    assert not await retraining(predictor, tmp_path, world("plain")).train()
    assert predictor.head.version == before


async def test_a_training_that_breaks_leaves_the_head_and_nothing_else(predictor, tmp_path):
    before = predictor.head.version
    assert not await retraining(predictor, tmp_path, {"kind": "something else"}).train()
    assert predictor.head.version == before
    assert not list(tmp_path.glob("training-*"))


async def test_labels_that_come_while_serving_have_it_trained(predictor, tmp_path):
    before = predictor.head.version
    training = retraining(
        predictor, tmp_path, world("intricate"), look=0.05, due=lambda count, drifted: count >= 20
    )
    task = asyncio.create_task(training.run())
    try:
        await eventually(lambda: training.looked)
        learnt = labels("intricate", before, 20)
        await predictor.desk.do(lambda: predictor._learn(learnt), within=60.0)
        await eventually(lambda: predictor.head.version != before, timeout=120)
    finally:
        task.cancel()


def test_fewer_labels_are_enough_where_quality_has_drifted():
    assert not is_due(ENOUGH_DRIFTED, False)
    assert not is_due(ENOUGH_DRIFTED - 1, True)
    assert is_due(ENOUGH_DRIFTED, True)
    assert is_due(ENOUGH, False)
