import random

import numpy as np
import pytest

from argus_shapes.captions import parse, sample
from support.replay import Parent, captions, changed, parents


def test_parent_is_the_nearest_of_those_before():
    rows = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0]], np.float32)
    found = parents(rows)
    assert [parent.index for parent in found] == [-1, 0, 1, 0]
    assert [parent.similarity for parent in found] == pytest.approx([0, 0, 0.8, 1])


def test_no_prompt_is_its_own_parent_across_blocks():
    rows = np.random.default_rng(0).standard_normal((1200, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = parents(rows)
    assert len(found) == len(rows)
    assert all(parent.index < i for i, parent in enumerate(found))


def test_captions_repeat_change_or_begin_anew_as_their_parents_say():
    family = [
        Parent(index=-1, similarity=0.0),
        Parent(index=0, similarity=1.0),
        Parent(index=0, similarity=0.9),
        Parent(index=0, similarity=0.1),
    ]
    for seed in range(20):
        first, same, near, _ = captions(family, rng=random.Random(seed))
        assert same == first
        assert near != first
        assert parse(near).difficulty in ("single", "count", parse(first).difficulty)


def test_changed_scene_differs_and_is_in_the_language():
    rng = random.Random(1)
    for _ in range(200):
        scene = sample(rng)
        other = changed(scene, rng)
        assert other != scene
        assert parse(other.caption) == other
