import random

import numpy as np
import pytest

from argus_shapes import painter
from argus_shapes.captions import DIFFICULTIES, parse, sample
from argus_shapes.detector import detect, judge


def paint(scene, rng):
    return painter.paint([painter.arrange(rng, scene)])[0]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_every_painted_picture_is_read_back(difficulty):
    rng = random.Random(difficulty)
    for _ in range(300):
        scene = sample(rng, difficulty)
        placed = painter.arrange(rng, scene)
        found = detect(painter.paint([placed])[0])
        assert judge(scene, found).exact, scene.caption
        assert judge(scene, found).share == 1.0
        assert sorted((p.shape, p.colour, p.size) for p in placed) == sorted(
            (f.shape, f.colour, f.size) for f in found
        )


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_noise_as_models_leave_it_does_not_mislead(difficulty):
    rng, noise = random.Random(7), np.random.default_rng(7)
    for _ in range(50):
        scene = sample(rng, difficulty)
        image = paint(scene, rng) + noise.normal(0, 0.04, (48, 48, 3)).astype(np.float32)
        assert judge(scene, detect(image.clip(0, 1))).exact, scene.caption


def test_what_was_found_stands_where_it_was_painted():
    rng = random.Random(2)
    for _ in range(100):
        placed = painter.arrange(rng, sample(rng, "single"))
        (found,) = detect(painter.paint([placed])[0])
        # A triangle's centre of mass lies below the centre of its box.
        assert abs(found.x - placed[0].x) < 0.5
        assert -0.5 < found.y - placed[0].y < 2.5


@pytest.mark.parametrize(
    ("painted", "asked"),
    [
        ("a red circle", "a red square"),
        ("a red circle", "a blue circle"),
        ("a small red circle", "a large red circle"),
        ("two red circles", "a red circle"),
        ("a red circle", "two red circles"),
        ("a red circle and a blue square", "a red circle"),
        ("a red circle left of a blue square", "a red circle right of a blue square"),
        ("a red circle above a blue square", "a red circle below a blue square"),
    ],
)
def test_a_wrong_picture_is_not_exact(painted, asked):
    image = paint(parse(painted), random.Random(0))
    verdict = judge(parse(asked), detect(image))
    assert not verdict.exact
    assert verdict.share < 1.0


def test_share_counts_shapes_asked_and_found():
    image = paint(parse("two red circles and a blue square"), random.Random(0))
    assert judge(parse("two red circles"), detect(image)).share == pytest.approx(4 / 5)
    assert judge(parse("three red circles"), detect(image)).share == pytest.approx(4 / 6)


def test_a_broken_relation_halves_the_share():
    image = paint(parse("a red circle left of a blue square"), random.Random(0))
    verdict = judge(parse("a red circle right of a blue square"), detect(image))
    assert verdict.share == pytest.approx(0.5)


def test_blank_paper_noise_and_blots_hold_no_well_made_shape():
    noise = np.random.default_rng(0).random((48, 48, 3)).astype(np.float32)
    blank = np.broadcast_to(painter.PAPER, (48, 48, 3)).copy()
    blot = blank.copy()
    blot[4:8, 4:40] = (0.88, 0.19, 0.19)
    for image in (blank, noise, blot):
        assert not any(shape.well_made for shape in detect(image))
