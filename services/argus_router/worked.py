"""What workers have drawn so far, added up: whoever watches takes the difference."""

from __future__ import annotations

from collections.abc import Mapping

from argus_core.measured import Key, Work

Sums = Mapping[Key, tuple[int, float]]
"""By level and GPU type: images, and seconds of worker time as if they were of the default size."""


class Worked:
    """Adds up; bounded by the levels and GPU types there are."""

    def __init__(self) -> None:
        self._sums: dict[Key, tuple[int, float]] = {}

    def add(self, level: str, gpu_type: str, seconds: float) -> None:
        """An image was drawn."""
        images, total = self._sums.get((level, gpu_type), (0, 0.0))
        self._sums[level, gpu_type] = images + 1, total + seconds

    def sums(self) -> Sums:
        """As they stand; later images do not change them."""
        return dict(self._sums)


def between(before: Sums, after: Sums) -> list[Work]:
    """What was drawn from one look to a later one."""
    found = []
    for (level, gpu_type), (images, seconds) in after.items():
        earlier, took = before.get((level, gpu_type), (0, 0.0))
        if images > earlier:
            found.append(Work(level, gpu_type, images - earlier, seconds - took))
    return found
