"""Who does what, when only the numbers are decided: nobody moves who need not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def matched(does: Sequence[T | None], wanted: Mapping[T, int]) -> list[T]:
    """What each worker shall do, so that each thing is done by as many as wanted.

    Args:
        does: what each worker does now; None for nothing.
        wanted: how many shall do each thing; should add up to the workers. Of more wanted than
            there are workers the last are left out; of fewer, the first is given to the rest.

    Workers keep what they do as far as it is wanted; the others are filled in order.
    """
    assert wanted, "nothing to do"
    left = dict(wanted)
    keeps: list[T | None] = []
    for now in does:
        kept = now is not None and left.get(now, 0) > 0
        if kept and now is not None:
            left[now] -= 1
        keeps.append(now if kept else None)
    open_posts = [thing for thing, count in left.items() for _ in range(count)]
    spare = next(iter(wanted))
    free = iter(open_posts)
    return [now if now is not None else next(free, spare) for now in keeps]
