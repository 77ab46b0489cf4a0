"""What a ladder makes of latents: which steps its levels could begin at, and how good that is."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from argus_core.latents import in_full, path
from argus_core.spec import Level


class Worth:
    """Of one ladder."""

    def __init__(self, ladder: Sequence[Level]) -> None:
        self._levels = {level.name: level for level in ladder}
        self._steps = {level.name: self._of_use(level) for level in ladder}
        self._kept: dict[int, float] = {}
        """By step: the quality that is left of a drawing that begins there, 0 to 1."""
        for step in {level.skipped_steps for level in ladder if level.skipped_steps}:
            self._kept[step] = fmean(
                min(level.quality / max(self._whole(level), 1e-9), 1.0)
                for level in ladder
                if level.skipped_steps == step
            )

    def steps(self, level: str) -> tuple[int, ...]:
        """After which a latent of a drawing at this level is of use to some level; ascending."""
        return self._steps.get(level, ())

    def _of_use(self, drawn: Level) -> tuple[int, ...]:
        others = (other for other in self._levels.values() if path(drawn) == path(other))
        return tuple(sorted({
            other.skipped_steps for other in others if other.skipped_steps > drawn.skipped_steps
        }))  # fmt: skip

    def steps_saved(self, steps: Sequence[int]) -> float:
        """By a later start from one of some latents, on average, less what it costs in quality."""
        return fmean(step * self._kept.get(step, 0.0) for step in steps)

    def seconds_per_step(self, level: str) -> float:
        """That drawing at a level takes, on the slowest device."""
        drawn = self._levels[level]
        return max(drawn.seconds.values()) / (drawn.steps - drawn.skipped_steps)

    def _whole(self, level: Level) -> float:
        """Quality of the same drawing from the start; its own where no level is that."""
        whole = in_full(level, self._levels.values())
        return whole.quality if whole else level.quality
