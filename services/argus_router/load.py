"""What the router saw, counted for the control loop: one window for each that watches."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import inf
from statistics import median_low
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_SAMPLES = 200


class Outcome(StrEnum):
    """How an image ended."""

    OK = "ok"
    LATE = "late"
    REFUSED = "refused"
    FAILED = "failed"
    INVALID = "invalid"
    CANCELLED = "cancelled"


class _Sample(Generic[T]):
    """Of all things offered a uniform sample, at most `_MOST_SAMPLES`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._offered = rng, 0
        self.kept: list[T] = []

    def offer(self, thing: T) -> None:
        """One more."""
        self._offered += 1
        if len(self.kept) < _MOST_SAMPLES:
            self.kept.append(thing)
        elif (at := self._rng.randrange(self._offered)) < _MOST_SAMPLES:
            self.kept[at] = thing


class Window:
    """Counts since the window began; uniform samples of its prompts' qualities and deadlines."""

    def __init__(self, *, rng: random.Random) -> None:
        self.arrivals = 0
        self.ended: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self._qualities, self._deadlines = _Sample[Sequence[float]](rng), _Sample[float](rng)

    @property
    def samples(self) -> Sequence[Sequence[float]]:
        """Qualities of prompts, by level in the ladder's order."""
        return self._qualities.kept

    @property
    def deadline(self) -> float:
        """Seconds that half of the requests had at most when they came; infinite where none did."""
        return median_low(self._deadlines.kept or [inf])

    def arrived(
        self, images: int, qualities: Mapping[str, float] | None, *, deadline: float
    ) -> None:
        """Images of one prompt were asked for.

        Args:
            images: how many.
            qualities: by level, in the ladder's order; None where nothing was predicted of it:
                others stand for it in the sample.
            deadline: seconds that they had when they came.
        """
        self.arrivals += images
        self._deadlines.offer(deadline)
        if qualities is not None:
            self._qualities.offer(tuple(qualities.values()))

    def ended_as(self, outcome: Outcome) -> None:
        """An image ended."""
        self.ended[outcome] += 1


class Load:
    """Tells every open window what happens; a window's owner replaces it when it is read."""

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self._open: set[Window] = set()

    def open(self) -> Window:
        """Begin a window; `close` it."""
        window = Window(rng=self._rng)
        self._open.add(window)
        return window

    def close(self, window: Window) -> None:
        """End a window: it counts no more."""
        self._open.discard(window)

    def arrived(
        self, images: int, qualities: Mapping[str, float] | None, *, deadline: float
    ) -> None:
        """See `Window.arrived`."""
        for window in self._open:
            window.arrived(images, qualities, deadline=deadline)

    def ended_as(self, outcome: Outcome) -> None:
        """See `Window.ended_as`."""
        for window in self._open:
            window.ended_as(outcome)
