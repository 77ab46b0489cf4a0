"""How many images a second a worker draws at each level, batches and fetches reckoned with."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from argus_core.planning.problem import LevelProfile
from argus_core.policies.policy import Setting

_BATCH_SHARE = 0.5
"""Of the deadline, that a batch may take: who just misses one is still in time with the next."""
_ALLOWANCE = 1.05
"""Times the expected seconds, that an image may well take."""

Paces = Mapping[str, tuple[float, ...]]
"""By GPU type, by level: images a second; 0 where the level is closed, being too slow."""


def paces(setting: Setting) -> dict[str, tuple[float, ...]]:
    """Of all GPU types that the setting has workers of."""
    return {
        gpu: tuple(
            pace(level, gpu, deadline=setting.deadline, fetch_seconds=setting.fetch_seconds)
            for level in setting.levels
        )
        for gpu in dict.fromkeys(setting.workers)
    }


def pace(level: LevelProfile, gpu_type: str, *, deadline: float, fetch_seconds: float) -> float:
    """Images a second of one worker in its best batches; 0 where one image is late already."""
    fetch = fetch_seconds if level.needs_start else 0.0
    alone = level.seconds.get(gpu_type, inf)
    if alone + fetch > deadline:
        return 0.0
    room = max(alone + fetch, _BATCH_SHARE * deadline)
    times = ((size, fetch + alone * times) for size, times in enumerate(level.batches, start=1))
    return max(size / time for size, time in times if time <= room)


def best_batch(level: LevelProfile, deadline: float) -> tuple[int, float]:
    """Images in the batch that gains most, and what one costs then, relative to one alone.

    On the GPU type that is the quickest at it; batches may last as long as for `pace`.
    """
    alone = min(level.seconds.values())
    room = max(alone, _BATCH_SHARE * deadline)
    fitting = [(t / size, size) for size, t in enumerate(level.batches, 1) if alone * t <= room]
    share, size = min(fitting)
    return size, share


def costs(setting: Setting, gpu_type: str) -> tuple[float, ...]:
    """By level: seconds that one image may well take; infinite where the GPU type cannot."""
    fetch = setting.fetch_seconds
    return tuple(
        setting.seconds(i, gpu_type) * _ALLOWANCE + fetch * level.needs_start
        for i, level in enumerate(setting.levels)
    )
