"""Who belongs together: variants that the same workers hold, directly or by way of others.

A second of a worker that holds several variants is one second, whichever of them it draws with. So
what such workers can do must not be counted once for each of their variants: kin share one price
curve, over all of their workers (`argus_core.policies.market`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def kin(things: Sequence[T], held: Iterable[Sequence[T]]) -> dict[T, T]:
    """By thing: the first of those that it is kin to, itself among them.

    Args:
        things: all there are, in their order.
        held: what each worker holds; things that one of them holds are kin, and so are their kin.

    Whatever nobody holds is kin to nothing else.
    """
    order = {thing: i for i, thing in enumerate(things)}
    first = {thing: thing for thing in things}
    for loadout in dict.fromkeys(tuple(one) for one in held):
        merged = {first[thing] for thing in loadout}
        if len(merged) > 1:
            least = min(merged, key=lambda thing: order[thing])
            first = {t: least if own in merged else own for t, own in first.items()}
    return first


def numbered(first: Mapping[T, T]) -> dict[T, int]:
    """By thing: the number of its kin, from 0 in their order; `first` is as `kin` tells it."""
    numbers = {one: number for number, one in enumerate(dict.fromkeys(first.values()))}
    return {thing: numbers[one] for thing, one in first.items()}
