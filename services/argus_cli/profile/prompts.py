"""The prompts that are drawn: a file's, or captions of the small family."""

from __future__ import annotations

import random
from pathlib import Path

from argus_core.errors import InvalidRequest
from argus_shapes.captions import sample

MOST = 10_000
"""Prompts; the planner takes no more."""
_DRAWS = 200
"""Scenes drawn per caption asked for, before the language counts as used up."""


def read_prompts(option: str, path: Path) -> tuple[str, ...]:
    """A prompt a line; empty lines and repeats are left out.

    Raises:
        InvalidRequest: naming the option and what is wrong.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidRequest.one(option, f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest.one(option, f"{path}: must be UTF-8") from error
    prompts = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not 1 <= len(prompts) <= MOST:
        raise InvalidRequest.one(option, f"{path} must hold 1 to {MOST:,}, not {len(prompts)}")
    return prompts


def captions(count: int, *, stream: str = "profile") -> tuple[str, ...]:
    """Different captions of the small family, always the same for a count and a stream.

    Fewer come first of more: a longer profile holds all that a shorter one does.
    """
    rng = random.Random(stream)
    found: dict[str, None] = {}
    for _ in range(count * _DRAWS):
        if len(found) == count:
            break
        found[sample(rng).caption] = None
    return tuple(found)
