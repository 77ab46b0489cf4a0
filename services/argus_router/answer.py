"""What a predictor answered, as far as it can be: the rest is left out, not trusted.

Without qualities of every level there is no answer. Anything else that cannot be (a start for a
level that has none, a similarity beyond 1, steps out of order, an embedding that is none) is
dropped by itself, and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from argus_core.spec import Level
from argus_protos.v1 import predictor_pb2

_KEY = re.compile(r"[0-9a-f]{32}")
_MOST_BYTES = 16 * 1024
"""Of an embedding: 8192 dimensions."""
_MOST_NAME = 256
"""Characters of an encoder's or a head's name."""
_OFF_UNIT = 0.05
"""By which the length of an embedding may differ from 1: half precision, and room."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a prompt's latents must be, whichever way they go."""

    scope: str
    """Whose they are."""
    compatibility: Mapping[str, str]
    """By level; one that is not named gets no start, and nothing is kept of it."""
    spaces: Mapping[str, str]
    """By level: names the space that its latents are in."""


_NOTHING = Question(scope="", compatibility={}, spaces={})


@dataclass(frozen=True, kw_only=True)
class Start:
    """A latent that stands in for a level's skipped steps."""

    key: str
    similarity: float
    """Of the two prompts: cosine, -1 to 1."""
    step: int
    """Steps that it has behind it."""
    compatibility: str
    """That it was asked by."""
    space: str
    """That it is in."""


REASONS = ("none", "lost", "timeout", "shed", "refused", "invalid")
"""For which the priors are used."""
PARTS = ("start", "capture", "embedding")
"""Of an answer, which may be malformed, and are then left out."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is expected of a prompt, and what is known of its latents."""

    qualities: Mapping[str, float]
    """By level, 0 to 1; a level with skipped steps is there only with its start."""
    seconds: float = 0.0
    """That it took."""
    fallback: str = ""
    """Why the priors were used: `none`, `lost`, `timeout`, `shed` (more come than it can
    answer), `refused` (not this prompt), `invalid`; empty when they were not."""
    starts: Mapping[str, Start] = field(default_factory=dict)
    """By level."""
    captures: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By level: steps after which a latent is worth keeping; ascending."""
    embedding: bytes = b""
    """Unit length, float16, little-endian; empty where nothing can be kept."""
    encoder: str = ""
    model_version: str = ""
    ignored: frozenset[str] = frozenset()
    """Those of `PARTS` that were malformed."""


def read(
    response: predictor_pb2.PredictResponse,
    ladder: Sequence[Level],
    question: Question | None,
    *,
    seconds: float = 0.0,
) -> Prediction | None:
    """The answer to a question, which took so long; None where it does not tell of every level."""
    told = {q.level: q for q in response.qualities if 0 <= q.quality <= 1}
    if not told.keys() >= {level.name for level in ladder}:
        return None
    asked = question or _NOTHING
    ignored: set[str] = set()
    starts, captures = dict[str, Start](), dict[str, Sequence[int]]()
    for level in ladder:
        quality = told[level.name]
        starts |= _start(level, quality, asked, ignored)
        captures |= _captures(level, quality, asked, ignored)
    embedding = response.embedding if captures and _is_embedding(response) else b""
    if captures and not embedding:
        ignored.add("embedding")
    return Prediction(
        qualities={
            level.name: told[level.name].quality
            for level in ladder
            if not level.skipped_steps or level.name in starts
        },
        seconds=seconds,
        starts=starts,
        captures=captures if embedding else {},
        embedding=embedding,
        encoder=response.encoder if embedding else "",
        model_version=response.model_version[:_MOST_NAME],
        ignored=frozenset(ignored),
    )


def _start(
    level: Level, quality: predictor_pb2.LevelQuality, asked: Question, ignored: set[str]
) -> Mapping[str, Start]:
    if not quality.HasField("start"):
        return {}
    start = quality.start
    known = level.name in asked.compatibility and _KEY.fullmatch(start.key) is not None
    if not known or start.step != (level.skipped_steps or -1) or not -1 <= start.similarity <= 1:
        ignored.add("start")
        return {}
    found = Start(
        key=start.key,
        similarity=start.similarity,
        step=start.step,
        compatibility=asked.compatibility[level.name],
        space=asked.spaces[level.name],
    )
    return {level.name: found}


def _captures(
    level: Level, quality: predictor_pb2.LevelQuality, asked: Question, ignored: set[str]
) -> Mapping[str, Sequence[int]]:
    steps = list(quality.capture_steps)
    if not steps:
        return {}
    ascending = steps == sorted(set(steps))
    fits = 1 <= steps[0] <= steps[-1] < level.steps
    if level.name not in asked.compatibility or not ascending or not fits:
        ignored.add("capture")
        return {}
    # Those that are skipped were kept already, by whoever left the start.
    new = tuple(step for step in steps if step > level.skipped_steps)
    return {level.name: new} if new else {}


def _is_embedding(response: predictor_pb2.PredictResponse) -> bool:
    data, encoder = response.embedding, response.encoder
    if not 0 < len(data) <= _MOST_BYTES or len(data) % 2 or not 0 < len(encoder) <= _MOST_NAME:
        return False
    length = float(np.linalg.norm(np.frombuffer(data, dtype="<f2").astype(np.float32)))
    return abs(length - 1) <= _OFF_UNIT  # False for what is no number.


def priors(ladder: Sequence[Level]) -> Iterator[tuple[str, float]]:
    """What is known without an answer: by level, but not those that need a start."""
    return ((level.name, level.quality) for level in ladder if not level.skipped_steps)
