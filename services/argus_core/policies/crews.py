"""Which worker serves which level, when only the numbers are decided: as few as can be switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from argus_core.planning.posting import matched
from argus_core.policies.allocation import Counts
from argus_core.policies.policy import Duty, Setting


def posts(setting: Setting, crew: Sequence[Duty | None], counts: Counts) -> list[int | None]:
    """The level of each worker; None for those that are lost, or of a type that serves nothing.

    Args:
        setting: tells the workers' GPU types and the levels' variants.
        crew: what each worker does now; None for one that is lost.
        counts: wanted, for the workers that are not lost.

    No more workers change their variant than the numbers ask for; of the others, no more than
    they ask for change their level.
    """
    found: list[int | None] = [None] * len(crew)
    for gpu in dict.fromkeys(setting.workers):
        levels = {level: n for (level, of), n in counts.items() if of == gpu and n}
        members = [i for i, g in enumerate(setting.workers) if g == gpu and crew[i] is not None]
        if levels and members:
            duties = [duty for i in members if (duty := crew[i]) is not None]
            for i, level in zip(members, _levels(setting, duties, levels), strict=True):
                found[i] = level
    return found


def _levels(setting: Setting, duties: Sequence[Duty], wanted: Mapping[int, int]) -> list[int]:
    """Levels for workers of one type: first who holds which variant, then who serves what."""
    variant_of = [level.variant for level in setting.levels]
    variants: Counter[str] = Counter()
    for level, n in wanted.items():
        variants[variant_of[level]] += n
    does = [duty.levels[0] if duty.levels else None for duty in duties]
    holds = [duty.loadout[0] if duty.loadout else None for duty in duties]
    held = matched(holds, variants)
    found = [0] * len(duties)
    for variant in variants:
        of = [i for i, v in enumerate(held) if v == variant]
        own = {level: n for level, n in wanted.items() if variant_of[level] == variant}
        for i, level in zip(of, matched([does[i] for i in of], own), strict=True):
            found[i] = level
    return found
