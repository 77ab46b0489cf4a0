"""Which latents are worth keeping: what they are expected to save against what they take up.

Model: an entry is used at a rate that nobody knows. It is guessed from what was seen: its uses, the
older the less they count, over the time in which it could have been used, and before that by what
entries like it did: those whose prompt came near to others' soon are likelier to be asked again.
So a new entry gets some time to prove itself, one that was used stays as long as it goes on being
used, and one that nobody came for falls behind.

Plain functions over numbers or arrays of them; time is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = float | Floats


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How prompts are asked again."""

    half_life: float = 3600.0
    """Seconds after which a use, and time without one, count for half."""
    patience: float = 1200.0
    """Seconds without a use after which a new entry is thought half as likely to be used."""
    first: float = 0.5
    """Uses expected of a new entry within its patience, if nobody was near."""
    company: float = 0.5
    """Uses more that are expected for each prompt that was near."""
    repeated: float = 0.98
    """Cosine from which a prompt counts as kept already."""
    near: float = 0.8
    """Cosine from which a prompt counts as near."""
    fresh: float = 0.5
    """Share of its life that an entry must have left to spare another like it."""
    roomy: float = 0.75
    """Share of the room in use below which all but repeats are kept."""


@dataclass(frozen=True, kw_only=True)
class Near:
    """An entry near to a prompt."""

    similarity: float
    """Cosine, -1 to 1."""
    steps: tuple[int, ...]
    """That it has latents at."""
    left: float
    """Share of its life that is left, 0 to 1."""


def faded(amount: Numbers, elapsed: Numbers, habits: Habits) -> Floats:
    """What is left of an amount of uses after some seconds."""
    return np.asarray(amount * np.exp2(-np.maximum(elapsed, 0.0) / habits.half_life))


def rate(uses: Numbers, age: Numbers, company: Numbers, habits: Habits) -> Floats:
    """Uses a second that are expected of an entry from now on.

    Args:
        uses: of it, faded.
        age: seconds since it was kept.
        company: how many prompts were near when it was kept.
        habits: see there.
    """
    span = habits.half_life / np.log(2)
    watched = span * (1 - np.exp2(-np.maximum(age, 0.0) / habits.half_life))
    prior = habits.first + habits.company * company
    return np.asarray((prior + uses) / (habits.patience + watched))


def benefit(
    *,
    uses: Numbers,
    age: Numbers,
    left: Numbers,
    company: Numbers,
    seconds: Numbers,
    taken: Numbers,
    habits: Habits,
) -> Floats:
    """Seconds that an entry is expected to save for each byte that it takes; 0 once it is expired.

    Args:
        uses: of it, faded.
        age: seconds since it was kept.
        left: seconds for which it may yet be used.
        company: how many prompts were near when it was kept.
        seconds: that a use saves, less what it costs in quality.
        taken: bytes, above 0.
        habits: see there.
    """
    span = habits.half_life / np.log(2)
    ahead = span * (1 - np.exp2(-np.maximum(left, 0.0) / habits.half_life))
    return np.asarray(rate(uses, age, company, habits) * ahead * seconds / taken)


def company(near: Iterable[Near], habits: Habits) -> int:
    """How many of them are near."""
    return sum(entry.similarity >= habits.near for entry in near)


def worth_keeping(
    steps: Sequence[int],
    near: Sequence[Near],
    *,
    expected: float,
    least: float,
    filled: float,
    habits: Habits,
) -> tuple[int, ...]:
    """Of the steps that a drawing could keep latents of, those worth it; ascending.

    None where a like prompt's latent is there already and stays for long enough; else all while
    there is room, and then only where as much is expected of them as of what would have to go.

    Args:
        steps: after which a latent would be of use to some level.
        near: entries near to the prompt that are compatible.
        expected: benefit of the new entry.
        least: benefit of what would have to go for it.
        filled: share of the room in use, 0 to 1.
        habits: see there.
    """
    if filled >= habits.roomy and expected < least:
        return ()
    have = {
        step
        for entry in near
        if entry.similarity >= habits.repeated and entry.left >= habits.fresh
        for step in entry.steps
    }
    return tuple(sorted(set(steps) - have))


def to_evict(
    benefits: Floats, taken: NDArray[np.int64], *, bytes_over: int, entries_over: int
) -> NDArray[np.int64]:
    """Which to let go until so many bytes and entries are free: those of least benefit first.

    Ties go by position, the first first. All of them where even that is not enough.
    """
    if bytes_over <= 0 and entries_over <= 0:
        return np.empty(0, np.int64)
    order = np.argsort(benefits, kind="stable")
    freed = np.cumsum(taken[order])
    enough = int(np.searchsorted(freed, bytes_over)) + 1 if bytes_over > 0 else 0
    return np.asarray(order[: max(enough, entries_over)], np.int64)
