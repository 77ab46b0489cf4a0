"""What the router takes of a predictor's answer, and what it leaves out."""

import struct

import pytest

from argus_protos.v1 import predictor_pb2
from argus_router.answer import Question, read
from router_support import EMBEDDING, KEY, cluster_of

LADDER = cluster_of(store={}).spec.ladder
NAMES = [level.name for level in LADDER]
ASKED = Question(
    scope="default",
    compatibility={name: f"text of {name}" for name in NAMES},
    spaces=dict.fromkeys(NAMES, "space"),
)


def answer(*, start=None, captures=(), embedding=EMBEDDING, encoder="mine", at="begun"):
    """An answer with a start, and with steps to keep, at one level."""
    response = predictor_pb2.PredictResponse(embedding=embedding, encoder=encoder)
    for name in NAMES:
        told = response.qualities.add(level=name, quality=0.5)
        if name == at:
            told.capture_steps.extend(captures)
            if start is not None:
                told.start.CopyFrom(predictor_pb2.Start(**start))
    return response


def start(**fields):
    return {"key": KEY, "similarity": 0.9, "step": 10, **fields}


def test_level_with_skipped_steps_is_there_only_with_its_start():
    without, given = read(answer(), LADDER, ASKED), read(answer(start=start()), LADDER, ASKED)
    assert set(given.qualities) - set(without.qualities) == {"begun"}
    assert (given.starts["begun"].key, given.starts["begun"].step) == (KEY, 10)
    assert given.starts["begun"].compatibility == "text of begun"
    assert not given.ignored


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"key": KEY.upper()},
        {"key": KEY + "0"},
        {"key": "../" + KEY[3:]},
        {"step": 0},
        {"step": 9},
        {"step": 20},
        {"similarity": 1.5},
        {"similarity": float("nan")},
    ],
)
def test_start_that_cannot_be_is_left_out(wrong):
    told = read(answer(start=start(**wrong)), LADDER, ASKED)
    assert (told.starts, told.ignored) == ({}, {"start"})
    assert "begun" not in told.qualities


def test_start_at_a_level_without_skipped_steps_is_left_out():
    for step in (0, 10):
        told = read(answer(start=start(step=step), at="best"), LADDER, ASKED)
        assert (told.starts, told.ignored) == ({}, {"start"})


def test_start_and_steps_that_were_not_asked_for_are_left_out():
    told = read(answer(start=start(), captures=[15]), LADDER, None)
    assert (told.starts, told.captures, told.embedding) == ({}, {}, b"")
    assert told.ignored == {"start", "capture"}


@pytest.mark.parametrize("steps", [[0, 15], [15, 5], [5, 5], [5, 20]])
def test_steps_to_keep_that_cannot_be_are_left_out(steps):
    told = read(answer(captures=steps), LADDER, ASKED)
    assert (told.captures, told.ignored) == ({}, {"capture"})


def test_steps_to_keep_are_those_that_are_drawn():
    assert read(answer(captures=[5, 10, 15]), LADDER, ASKED).captures == {"begun": (15,)}
    assert read(answer(captures=[5, 10]), LADDER, ASKED).captures == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"embedding": b""},
        {"embedding": EMBEDDING[:-1]},
        {"embedding": struct.pack("<2e", 1.0, 1.0)},
        {"embedding": struct.pack("<2e", float("nan"), 1.0)},
        {"embedding": struct.pack("<e", 0.01) * 10_000},
        {"encoder": ""},
        {"encoder": "x" * 257},
    ],
)
def test_nothing_is_kept_with_an_embedding_that_is_none(wrong):
    told = read(answer(captures=[15], start=start(), **wrong), LADDER, ASKED)
    assert (told.captures, told.embedding, told.ignored) == ({}, b"", {"embedding"})
    assert "begun" in told.starts


def test_answer_without_every_quality_is_none():
    response = answer(start=start())
    del response.qualities[0]
    assert read(response, LADDER, ASKED) is None
