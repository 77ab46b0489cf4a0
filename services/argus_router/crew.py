"""The ready workers by what they hold: made when one of them changes, not for each decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from argus_core.kin import kin
from argus_router.fleet import Worker


class Member(NamedTuple):
    """A ready worker, and all of it that matters to who can draw what."""

    worker: Worker
    loadout: tuple[str, ...]
    slots: int
    gpu_type: str


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who can draw what. All mappings are by variant, and have every variant."""

    members: Sequence[Member]
    holders: Mapping[str, Sequence[Worker]]
    slots: Mapping[str, int]
    """Requests that the holders take at once."""
    all_slots: int
    """Requests that all take at once."""
    gpu_types: Mapping[str, Mapping[str, int]]
    """Holders of each GPU type."""
    shares: Mapping[str, Mapping[str, float]]
    """By another variant: how much of what waits for that falls on the holders of this one."""
    common: Mapping[str, Sequence[str]]
    """Variants that every holder holds."""
    teams: Mapping[str, str]
    """A name for its holders: the first variant that the very same workers hold."""
    loadouts: Mapping[str, Sequence[tuple[str, ...]]]
    """Those that hold it, each once."""
    kin: Mapping[str, str]
    """A name for those that share its workers, see `argus_core.kin`."""
    kin_slots: Mapping[str, int]
    """Requests that the workers of all of these take at once."""
    alike: frozenset[str]
    """Variants for whose holders the same counts, whichever of them draws: they hold the same, and
    each variant of theirs is held on one GPU type only."""


def crew_of(variants: Sequence[str], members: Sequence[Member]) -> Crew:
    """The crew that these make."""
    holding = {v: [member for member in members if v in member.loadout] for v in variants}
    known = [tuple(v for v in member.loadout if v in holding) for member in members]
    shared = kin(variants, known)
    slots = Counter[str]()
    for member, held in zip(members, known, strict=True):
        if held:
            slots[shared[held[0]]] += member.slots
    gpu_types = {v: Counter(m.gpu_type for m in mine) for v, mine in holding.items()}
    loadouts = {v: list(dict.fromkeys(m.loadout for m in mine)) for v, mine in holding.items()}
    return Crew(
        members=members,
        holders={v: [m.worker for m in mine] for v, mine in holding.items()},
        slots={v: sum(m.slots for m in mine) for v, mine in holding.items()},
        all_slots=sum(m.slots for m in members),
        gpu_types=gpu_types,
        shares={v: _shares(v, holding) for v in variants},
        common={v: _common(mine) for v, mine in holding.items()},
        teams={
            v: next(o for o, theirs in holding.items() if theirs == m) for v, m in holding.items()
        },
        loadouts=loadouts,
        kin=shared,
        kin_slots={v: slots[shared[v]] for v in variants},
        alike=frozenset(
            variant
            for variant, held in loadouts.items()
            if len(held) == 1 and all(len(gpu_types.get(o, ())) <= 1 for o in held[0])
        ),
    )


def _shares(variant: str, holding: Mapping[str, Sequence[Member]]) -> Mapping[str, float]:
    both = {v: sum(variant in m.loadout for m in theirs) for v, theirs in holding.items()}
    return {v: count / len(holding[v]) for v, count in both.items() if count}


def _common(members: Sequence[Member]) -> Sequence[str]:
    loadouts = {member.loadout for member in members}
    return sorted(set[str].intersection(*map(set, loadouts))) if loadouts else ()
