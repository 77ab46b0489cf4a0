"""Captions that repeat as real prompts did: DiffusionDB's order, told in the caption language.

Each real prompt is held against those before it. What repeated an earlier one word for word
repeats that one's caption; what came near one takes its caption with as many words changed as
fits how near it came; what was new gets a new caption. So who repeats whom, how closely and how
long after is real, and only the pictures are simple.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from argus_shapes.captions import COLOURS, RELATIONS, SHAPES, SIZES, Scene, parse, sample

REPEAT = 0.99
"""Cosine from which a prompt counts as said again."""
NEAR, LESS_NEAR = 0.85, 0.7
"""From which one word is changed, and from which two; below it is new."""
_BLOCK = 512
_TRIES = 100


@dataclass(frozen=True, kw_only=True)
class Parent:
    """The nearest earlier prompt."""

    index: int
    """-1 for the first prompt."""
    similarity: float
    """Cosine, -1 to 1."""


def parents(embeddings: NDArray[np.float32]) -> list[Parent]:
    """Of each prompt, in their order: the nearest of those before it; rows have unit length."""
    found = [Parent(index=-1, similarity=0.0)]
    for start in range(0, len(embeddings), _BLOCK):
        block = embeddings[start : start + _BLOCK] @ embeddings[: start + _BLOCK].T
        for offset, row in enumerate(block):
            if earlier := start + offset:
                best = int(row[:earlier].argmax())
                found.append(Parent(index=best, similarity=float(row[best])))
    return found


def captions(family: Sequence[Parent], *, rng: random.Random) -> list[str]:
    """A caption for each prompt, by its parent."""
    told: list[str] = []
    for parent in family:
        scene = None if parent.similarity < LESS_NEAR else parse(told[parent.index])
        if scene is None:
            scene = sample(rng)
        elif parent.similarity < REPEAT:
            for _ in range(1 if parent.similarity >= NEAR else 2):
                scene = changed(scene, rng)
        told.append(scene.caption)
    return told


def changed(scene: Scene, rng: random.Random) -> Scene:
    """A scene that differs in one word: of a group, or of the relation."""
    for _ in range(_TRIES):
        other = _one_word(scene, rng)
        looks = {(group.colour, group.shape) for group in other.groups}
        if other != scene and len(looks) == len(other.groups):
            return other
    raise AssertionError("every scene has a neighbour")


def _one_word(scene: Scene, rng: random.Random) -> Scene:
    field = rng.choice(("colour", "shape", "size", "count", "relation"))
    if field == "relation":
        return replace(scene, relation=rng.choice(RELATIONS)) if scene.relation else scene
    at = rng.randrange(len(scene.groups))
    words = {"colour": COLOURS, "shape": SHAPES, "size": (*SIZES, None), "count": (1, 2, 3)}
    groups = list(scene.groups)
    groups[at] = replace(groups[at], **{field: rng.choice(words[field])})  # type: ignore[arg-type]
    return replace(scene, groups=tuple(groups))
