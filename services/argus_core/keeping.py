"""Which latents are worth keeping: what they are expected to save against what they take up.

Model: people come back to a prompt while they work on it, then turn to another. So the rate at
which an entry is used falls as one over the time since it was last of use, and is in proportion to
how often it was, older uses counting less; a new entry is credited with some uses. The expected
number of uses is that rate, summed over the time for which the entry may yet be used. Uses
within `pause` of each other are all the same to it, so entries should stay for longer than that.

Plain functions over numbers or arrays of them; time is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = float | Floats


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How prompts are asked again; see docs/neighbours.md for where the figures come from."""

    half_life: float = 3600.0
    """Seconds after which a use counts for half."""
    credit: float = 10.0
    """Uses that a new entry is credited with: the more, the more it matters how lately an entry was
    of use, and the less how often."""
    pause: float = 10.0
    """Seconds after a use in which the rate does not fall much yet."""
    repeated: float = 0.98
    """Cosine from which a prompt counts as kept already."""
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


def expected_uses(*, uses: Numbers, idle: Numbers, left: Numbers, habits: Habits) -> Floats:
    """Of an entry, from now until it expires.

    Args:
        uses: of it so far, faded.
        idle: seconds since it was last of use, or was made.
        left: seconds for which it may yet be used.
        habits: see there.
    """
    since = habits.pause + np.maximum(idle, 0.0)
    ahead = np.log((since + np.maximum(left, 0.0)) / since)
    return np.asarray((habits.credit + uses) * ahead)


def benefit(
    *,
    uses: Numbers,
    idle: Numbers,
    left: Numbers,
    seconds: Numbers,
    taken: Numbers,
    habits: Habits,
) -> Floats:
    """What an entry is expected to save for each byte that it takes; 0 once it is expired.

    Good for comparing entries; the credit makes it too much for those that were not used.

    Args:
        uses: of it so far, faded.
        idle: seconds since it was last of use, or was made.
        left: seconds for which it may yet be used.
        seconds: that a use saves, less what it costs in quality.
        taken: bytes, above 0.
        habits: see there.
    """
    uses_ahead = expected_uses(uses=uses, idle=idle, left=left, habits=habits)
    return np.asarray(uses_ahead * seconds / taken)


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
