"""What the router saw, counted for the control loop: one window for each that watches."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum

_MOST_SAMPLES = 200


class Outcome(StrEnum):
    """How an image ended."""

    OK = "ok"
    LATE = "late"
    REFUSED = "refused"
    FAILED = "failed"
    INVALID = "invalid"
    CANCELLED = "cancelled"


class Window:
    """Counts since the window began, and a uniform sample of its prompts' qualities."""

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self.arrivals = 0
        self.ended: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.samples: list[Sequence[float]] = []
        self._sampled = 0

    def arrived(self, images: int, qualities: Mapping[str, float] | None) -> None:
        """Images of one prompt were asked for; `qualities` in the ladder's order.

        None where nothing was predicted of it: others stand for it in the sample.
        """
        self.arrivals += images
        if qualities is None:
            return
        self._sampled += 1
        if len(self.samples) < _MOST_SAMPLES:
            self.samples.append(tuple(qualities.values()))
        elif (at := self._rng.randrange(self._sampled)) < _MOST_SAMPLES:
            self.samples[at] = tuple(qualities.values())

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

    def arrived(self, images: int, qualities: Mapping[str, float] | None) -> None:
        """See `Window.arrived`."""
        for window in self._open:
            window.arrived(images, qualities)

    def ended_as(self, outcome: Outcome) -> None:
        """See `Window.ended_as`."""
        for window in self._open:
            window.ended_as(outcome)
