"""Which prompt begins from which: the same, near ones, and one that has nothing to do with it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from argus_cli.profile.ask import Pair
from argus_shapes.captions import CaptionError, parse

_TRIES = 200
"""Words that are put in another's place before a caption counts as without neighbours."""


def pairs(prompts: Sequence[str], count: int) -> tuple[Pair, ...]:
    """Pairs of the first `count` prompts, always the same.

    Each begins from itself, from one with a word changed, from one with two changes, and from one
    that has nothing to do with it; from fewer where there are no such.
    """
    rng = random.Random("pairs")
    words = sorted({word for prompt in prompts for word in prompt.split()})
    found: dict[tuple[str, str], Pair] = {}
    for prompt in prompts[:count]:
        for origin, relation in _origins(prompt, prompts, words, rng):
            found.setdefault(
                (prompt, origin), Pair(prompt=prompt, origin=origin, relation=relation)
            )
    return tuple(found.values())


def _origins(
    prompt: str, prompts: Sequence[str], words: list[str], rng: random.Random
) -> Iterator[tuple[str, str]]:
    yield prompt, "same"
    once = _changed(prompt, words, rng) or _nearest(prompt, prompts)
    if once is not None:
        yield once, "near"
        twice = _changed(once, words, rng)
        if twice is not None and twice != prompt:
            yield twice, "near"
    far = _farthest(prompt, prompts, rng)
    if far is not None:
        yield far, "far"


def _changed(prompt: str, words: list[str], rng: random.Random) -> str | None:
    """The caption with one word another, a caption too; None where `prompt` is none."""
    if not _is_caption(prompt):
        return None
    parts = prompt.split()
    for _ in range(_TRIES):
        at, word = rng.randrange(len(parts)), rng.choice(words)
        changed = " ".join([*parts[:at], word, *parts[at + 1 :]])
        if changed != prompt and _is_caption(changed):
            return changed
    return None


def _is_caption(text: str) -> bool:
    """Whether it is one, written as captions are."""
    try:
        return parse(text).caption == text
    except CaptionError:
        return False


def _nearest(prompt: str, prompts: Sequence[str]) -> str | None:
    """The other that shares most words with it; None where none shares any."""
    best = max((other for other in prompts if other != prompt), key=lambda o: _shared(prompt, o),
               default=None)  # fmt: skip
    return best if best is not None and _shared(prompt, best) else None


def _farthest(prompt: str, prompts: Sequence[str], rng: random.Random) -> str | None:
    """Of a few others, the one that shares fewest words with it."""
    others = [other for other in prompts if other != prompt]
    some = rng.sample(others, min(8, len(others)))
    return min(some, key=lambda other: _shared(prompt, other), default=None)


def _shared(one: str, other: str) -> float:
    """Words in both, as a share of words in either."""
    left, right = set(one.lower().split()), set(other.lower().split())
    return len(left & right) / len(left | right)
