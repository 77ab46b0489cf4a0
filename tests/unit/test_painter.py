import random

import numpy as np
import pytest

from argus_shapes import painter
from argus_shapes.captions import parse, sample
from argus_shapes.painter import CELL, RADIUS, Placed


def test_the_same_seed_paints_the_same_picture():
    scene = parse("two red circles and a blue square")
    first, second = (painter.arrange(random.Random(5), scene) for _ in range(2))
    assert first == second
    assert np.array_equal(painter.paint([first]), painter.paint([second]))


def test_a_batch_is_painted_as_its_pictures_alone():
    rng = random.Random(3)
    pictures = [painter.arrange(rng, sample(rng)) for _ in range(20)]
    together = painter.paint(pictures)
    for i, picture in enumerate(pictures):
        assert np.array_equal(together[i], painter.paint([picture])[0])


def test_no_two_shapes_share_a_cell_and_none_leaves_its_own():
    rng = random.Random(4)
    for _ in range(300):
        placed = painter.arrange(rng, sample(rng))
        cells = {(int(p.x // CELL), int(p.y // CELL)) for p in placed}
        assert len(cells) == len(placed)
        for p in placed:
            for place in (p.x % CELL, p.y % CELL):
                assert RADIUS[p.size] < place < CELL - RADIUS[p.size]


@pytest.mark.parametrize(
    ("relation", "holds"),
    [
        ("left of", lambda a, b: a.x < b.x),
        ("right of", lambda a, b: a.x > b.x),
        ("above", lambda a, b: a.y < b.y),
        ("below", lambda a, b: a.y > b.y),
    ],
)
def test_a_relation_holds_between_every_pair(relation, holds):
    rng = random.Random(6)
    scene = parse(f"two red circles {relation} a blue square")
    for _ in range(50):
        *first, second = painter.arrange(rng, scene)
        assert all(holds(shape, second) for shape in first)


def test_nothing_to_paint_is_blank_paper():
    assert np.allclose(painter.paint([[]])[0], painter.PAPER)


def test_a_circle_covers_its_area():
    placed = Placed(shape="circle", colour="black", size="large", x=24, y=24)
    image = painter.paint([[placed]])[0]
    ink = (painter.PAPER - image).sum() / (
        painter.PAPER - np.array(painter.INK["black"]) / 255
    ).sum()
    assert ink == pytest.approx(np.pi * RADIUS["large"] ** 2, rel=0.02)
