import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_shapes import captions
from argus_shapes.captions import DIFFICULTIES, CaptionError, Group, Scene, parse, sample


@given(seed=st.integers(), difficulty=st.sampled_from(DIFFICULTIES))
def test_a_caption_reads_back_as_its_scene(seed, difficulty):
    scene = sample(random.Random(seed), difficulty)
    assert parse(scene.caption) == scene
    assert scene.difficulty == difficulty


def test_a_caption_reads_like_english():
    scene = Scene(
        groups=(
            Group(count=2, colour="red", shape="circle", size="large"),
            Group(count=1, colour="blue", shape="square"),
        ),
        relation="left of",
    )
    assert scene.caption == "two large red circles left of a blue square"


def test_case_spaces_and_other_ways_to_say_one_are_read():
    assert parse("  One  RED circle ") == parse("a red circle")


@pytest.mark.parametrize(
    ("caption", "field"),
    [
        ("seven red circles", "count"),
        ("a mauve circle", "colour"),
        ("a red dodecahedron", "shape"),
        ("a cat", "caption"),
        ("", "caption"),
        ("a red circle and a red square and a blue circle and a blue square", "caption"),
    ],
)
def test_what_is_not_in_the_language_is_refused_by_field(caption, field):
    with pytest.raises(CaptionError, match=f"^{field}:"):
        parse(caption)


def test_an_unknown_difficulty_is_refused():
    with pytest.raises(CaptionError, match="^difficulty:"):
        sample(random.Random(0), "impossible")


def test_every_word_of_every_caption_is_in_the_vocabulary():
    rng = random.Random(1)
    for _ in range(500):
        words = sample(rng).caption.replace(",", " ,").split()
        assert set(words) <= set(captions.WORDS)
