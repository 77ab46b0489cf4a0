"""The caption language of the small family: scenes of coloured shapes, and their captions.

A scene is one to three groups of equal shapes ("two large red circles"), and at most one
relation that holds between every shape of the first group and every shape of the second.
`Scene.caption` writes a scene as English, `parse` reads it back; `sample` draws a random
scene of a stated difficulty. Everything here is plain data without torch.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

COLOURS = ("red", "yellow", "green", "blue", "purple", "black")
SHAPES = ("circle", "square", "triangle")
SIZES = ("small", "large")
COUNTS = ("a", "two", "three", "four")
RELATIONS = ("left of", "right of", "above", "below")
DIFFICULTIES = ("single", "count", "relation", "two groups", "three groups")

WORDS = (
    *COUNTS,
    *SIZES,
    *COLOURS,
    *SHAPES,
    *(f"{shape}s" for shape in SHAPES),
    *("left", "right", "of", "above", "below", "and", ","),
)
"""Every word of the language, in the tokenizer's order; append only, or weights go stale."""


class CaptionError(ValueError):
    """A caption is not in the language; the message says what was expected where."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """`count` (1 to 4) shapes alike in colour, shape and, where stated, size."""

    count: int
    colour: str
    shape: str
    size: str | None = None

    @property
    def phrase(self) -> str:
        """The group in words, such as `two large red circles`."""
        noun = self.shape if self.count == 1 else f"{self.shape}s"
        return " ".join(filter(None, (COUNTS[self.count - 1], self.size, self.colour, noun)))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a picture must hold: the groups, and how the first stands to the second."""

    groups: tuple[Group, ...]
    relation: str | None = None

    @property
    def caption(self) -> str:
        """The scene in words; `parse` reads it back."""
        phrases = [group.phrase for group in self.groups]
        if self.relation:
            return f"{phrases[0]} {self.relation} {phrases[1]}"
        if len(phrases) == 1:
            return phrases[0]
        return f"{', '.join(phrases[:-1])} and {phrases[-1]}"

    @property
    def difficulty(self) -> str:
        """One of `DIFFICULTIES`."""
        if self.relation:
            return "relation"
        if len(self.groups) > 1:
            return "two groups" if len(self.groups) == 2 else "three groups"
        return "single" if self.groups[0].count == 1 else "count"


def sample(rng: random.Random, difficulty: str | None = None) -> Scene:
    """Draw a scene; without a difficulty, the harder ones come more often than the easy."""
    kind = difficulty or rng.choices(DIFFICULTIES, (2, 3, 4, 4, 4))[0]
    if kind == "single":
        return Scene(groups=(_group(rng, 1, 0.5),))
    if kind == "count":
        return Scene(groups=(_group(rng, rng.randint(2, 4), 0.5),))
    if kind == "relation":
        counts = rng.choices(((1, 1), (2, 1), (1, 2)), (6, 2, 2))[0]
        return Scene(groups=_distinct(rng, counts), relation=rng.choice(RELATIONS))
    if kind == "two groups":
        return Scene(groups=_distinct(rng, (rng.randint(1, 3), rng.randint(1, 3))))
    if kind == "three groups":
        return Scene(groups=_distinct(rng, (rng.randint(1, 2), rng.randint(1, 2), 1)))
    raise CaptionError(f"difficulty: expected one of {', '.join(DIFFICULTIES)}, got {kind!r}")


def parse(caption: str) -> Scene:
    """Read a caption back into its scene.

    Raises:
        CaptionError: the caption is not in the language.
    """
    text = " ".join(caption.lower().split())
    for relation in RELATIONS:
        parts = re.split(rf" {relation} ", text)
        if len(parts) == 2:
            return Scene(groups=(_parse_group(parts[0]), _parse_group(parts[1])), relation=relation)
    parts = re.split(r"\s*,\s*(?:and )?|\s+and\s+", text)
    if len(parts) > 3:
        raise CaptionError(f"caption: at most three groups, got {len(parts)}")
    return Scene(groups=tuple(_parse_group(part) for part in parts))


def _group(rng: random.Random, count: int, sized: float) -> Group:
    return Group(
        count=count,
        colour=rng.choice(COLOURS),
        shape=rng.choice(SHAPES),
        size=rng.choice(SIZES) if rng.random() < sized else None,
    )


def _distinct(rng: random.Random, counts: tuple[int, ...]) -> tuple[Group, ...]:
    """Groups of these counts, no two alike in both colour and shape, or they would merge."""
    groups: list[Group] = []
    for count in counts:
        taken = {(g.colour, g.shape) for g in groups}
        group = _group(rng, count, 0.3)
        while (group.colour, group.shape) in taken:
            group = _group(rng, count, 0.3)
        groups.append(group)
    return tuple(groups)


def _parse_group(phrase: str) -> Group:
    words = phrase.split()
    size = words.pop(1) if len(words) == 4 and words[1] in SIZES else None
    if len(words) != 3:
        raise CaptionError(f"caption: expected 'count [size] colour shape', got {phrase!r}")
    number, colour, noun = words
    count = COUNTS.index(number) + 1 if number in COUNTS else {"an": 1, "one": 1}.get(number, 0)
    shape = noun.removesuffix("s")
    for field, value, known in (
        ("count", number if count == 0 else COUNTS[count - 1], COUNTS),
        ("colour", colour, COLOURS),
        ("shape", shape, SHAPES),
    ):
        if value not in known:
            raise CaptionError(f"{field}: expected one of {', '.join(known)}, got {value!r}")
    return Group(count=count, colour=colour, shape=shape, size=size)
