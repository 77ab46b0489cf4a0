"""NIRVANA: the best variant only, steps skipped by how near the nearest cached prompt is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from statistics import fmean

from argus_core.errors import InvalidRequest
from argus_core.policies.pace import costs, paces
from argus_core.policies.policy import REFUSE, Duty, Floor, Plain, Prompt, Setting

THRESHOLDS = (0.65, 0.75, 0.85, 0.9, 0.95)
"""Cosine similarities above which it skips 5, 10, 15, 20 and 25 of 50 steps."""


class Nirvana(Plain):
    """One queue; every worker serves every level of the variant; the load decides nothing."""

    name = "nirvana"

    def start(self, setting: Setting) -> Sequence[Duty]:
        """All workers hold the variant of the best level, for good.

        Raises:
            InvalidRequest: no level of that variant begins from a cached latent.
        """
        self.setting = setting
        self.queue_of = [0] * len(setting.levels)
        self._costs = [costs(setting, gpu) for gpu in setting.workers]
        self._find_levels()
        variant = setting.levels[self._levels[0]].variant
        by_type = paces(setting)
        able = {g: tuple(i for i in self._levels if p[i] > 0) for g, p in by_type.items()}
        self._open = {level for levels in able.values() for level in levels}
        return [Duty((variant,), able[gpu]) for gpu in setting.workers]

    def _find_levels(self) -> None:
        """The best level, then those of its variant that skip steps, by how many they skip."""
        levels, qualities = self.setting.levels, self.setting.qualities
        whole = [i for i, level in enumerate(levels) if not level.needs_start]
        miss = max(whole, key=lambda i: qualities[i])
        starts = [
            i
            for i, level in enumerate(levels)
            if level.needs_start and level.variant == levels[miss].variant
        ]
        if not starts:
            raise InvalidRequest.one(
                "--policy",
                f"nirvana needs a level of {levels[miss].variant}, the best variant, that begins"
                " from a cached latent, and this ladder has none",
            )
        starts.sort(key=lambda i: -fmean(levels[i].seconds.values()))
        self._levels = [miss, *starts]
        self._above = spaced(THRESHOLDS, len(starts))

    def place(self, prompt: Prompt, remaining: float, floor: Floor) -> int:
        """The level for its similarity; of those that can be in time the nearest."""
        del remaining, floor
        wanted = bisect_left(self._above, prompt.similarity)
        level = self._levels[wanted]
        if level in self._open:
            return level
        ranks = {i: rank for rank, i in enumerate(self._levels) if i in self._open}
        return min(ranks, key=lambda i: abs(ranks[i] - wanted), default=REFUSE)

    def bind(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """The level it was placed at; nothing is drawn that would most likely be late."""
        del prompt
        able = level in duty.levels and self._costs[floor.worker][level] <= remaining
        return level if able else REFUSE


def spaced(thresholds: Sequence[float], count: int) -> list[float]:
    """As many thresholds as asked for, over the same range; the last is always kept."""
    most = len(thresholds)
    found = []
    for n in range(1, count + 1):
        at = max(n * most / count - 1, 0.0)
        low = int(at)
        high = min(low + 1, most - 1)
        found.append(thresholds[low] + (at - low) * (thresholds[high] - thresholds[low]))
    return found
