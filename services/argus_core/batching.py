"""What is gained by drawing several images at once on one worker.

A level's *batches* on a GPU type say what 1, 2, ... images take that are drawn at once, relative to
one alone: rising from 1, never beyond their number. A profile measures them; without any nothing is
known, and a worker takes as many as its pool has slots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

_GAIN = 0.03
"""Share by which an image must become cheaper for one more at once; less is within the noise."""

Batches = Sequence[float]


class _Level(Protocol):
    @property
    def batches(self) -> Mapping[str, Batches]: ...


def most(batches: Batches, slots: int) -> int:
    """Images at once, up to which each makes all of them cheaper; at most the slots.

    Args:
        batches: of a level on a GPU type; empty where nothing is known.
        slots: at least 1.
    """
    if not batches:
        return slots
    found = 1
    for images in range(2, min(slots, len(batches)) + 1):
        if batches[images - 1] / images > (1 - _GAIN) * batches[found - 1] / found:
            break
        found = images
    return found


def times(batches: Batches, images: int) -> float:
    """What so many at once take, relative to one alone; 1 where nothing is known."""
    return batches[min(images, len(batches)) - 1] if batches else 1.0


def part(level: _Level, gpu_type: str, slots: int) -> float:
    """Of an image's seconds alone: what it has of a worker that draws as many at once as gains."""
    if not (batches := level.batches.get(gpu_type, ())):
        return 1.0
    images = most(batches, slots)
    return times(batches, images) / images


def measured(per_image: Mapping[int, float]) -> tuple[float, ...]:
    """Batches, of seconds per image by the number drawn at once.

    Between two numbers that were measured a line is drawn; what cannot be is put right: one more
    never makes a batch quicker, nor slower than drawing it by itself.

    Args:
        per_image: positive; that of one alone is among them.
    """
    known = sorted(per_image)
    whole = {n: n * per_image[n] / per_image[1] for n in known}
    found = [1.0]
    for images in range(2, known[-1] + 1):
        above = next(n for n in known if n >= images)
        below = max(n for n in known if n < images)
        share = (images - below) / (above - below)
        between = whole[below] + share * (whole[above] - whole[below])
        found.append(min(max(between, found[-1]), found[-1] + 1.0))
    return tuple(round(value, 4) for value in found)
