"""Which variants fit a worker's memory together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from argus_core.errors import InvalidRequest
from argus_core.spread import Loadout

_LEAVES = 20_000
"""Sets looked at before the search is given up; a few milliseconds each thousand."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """A variant's measured memory."""

    variant: str
    components: Mapping[str, int]
    """Bytes by component; components of one name are the same one, held once by kin."""
    working: int = 0
    """Bytes more while it draws; variants draw in turn, so the largest counts."""


def maximal_loadouts(
    footprints: Sequence[Footprint], memory: int, *, at_most: int = 64
) -> tuple[Loadout, ...]:
    """The sets of variants that fit `memory` bytes and to which none can be added.

    Variants keep the order given; loadouts are ordered like words by it. Of more than
    `at_most`, one is kept for each variant that fits at all, and the first of the others.

    Raises:
        InvalidRequest: names or bytes make no sense.
    """
    _require_sane(footprints, memory, at_most)
    fitting = [f for f in footprints if _bytes([f]) <= memory]
    chosen = dict.fromkeys(_names(_filled([seed], fitting, memory)) for seed in fitting)
    leaves = islice(_leaves([], fitting, memory), _LEAVES)
    for leaf in leaves:
        if len(chosen) >= at_most:
            break
        if leaf and len(_filled(leaf, fitting, memory)) == len(leaf):
            chosen[_names(leaf)] = None
    order = {f.variant: i for i, f in enumerate(footprints)}
    return tuple(sorted(chosen, key=lambda loadout: [order[v] for v in loadout]))


def _leaves(
    held: list[Footprint], rest: Sequence[Footprint], memory: int
) -> Iterator[list[Footprint]]:
    """Fitting sets that hold `held` and to which nothing further down `rest` can be added."""
    if _bytes([*held, *rest]) <= memory:
        yield [*held, *rest]
        return
    for i, footprint in enumerate(rest):
        if _bytes([*held, footprint]) <= memory:
            yield from _leaves([*held, footprint], rest[i + 1 :], memory)
    yield held


def _filled(
    held: Sequence[Footprint], fitting: Sequence[Footprint], memory: int
) -> list[Footprint]:
    """`held` and all that can be added to it, first come first, in the order of `fitting`."""
    chosen = list(held)
    for footprint in fitting:
        if footprint not in chosen and _bytes([*chosen, footprint]) <= memory:
            chosen.append(footprint)
    return [f for f in fitting if f in chosen]


def _names(held: Sequence[Footprint]) -> Loadout:
    return tuple(f.variant for f in held)


def _bytes(held: Sequence[Footprint]) -> int:
    resident: dict[str, int] = {}
    for footprint in held:
        for name, size in footprint.components.items():
            resident[name] = max(size, resident.get(name, 0))
    return sum(resident.values()) + max((f.working for f in held), default=0)


def _require_sane(footprints: Sequence[Footprint], memory: int, at_most: int) -> None:
    if memory < 0:
        raise InvalidRequest.one("memory", f"must be 0 or more, not {memory}")
    if at_most < 1:
        raise InvalidRequest.one("at_most", f"must be 1 or more, not {at_most}")
    if len({f.variant for f in footprints}) < len(footprints):
        raise InvalidRequest.one("footprints", "variants must be unique")
    for footprint in footprints:
        if min([footprint.working, *footprint.components.values()]) < 0:
            raise InvalidRequest.one(f"footprints[{footprint.variant}]", "has negative bytes")
