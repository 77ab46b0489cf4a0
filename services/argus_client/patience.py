"""One call's tries: how long is left, and how long to wait before the next."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from argus_client.retry import Retry, retry_delay
from argus_core.errors import ArgusError, DeadlineMissed

GRACE = 1.0
"""Seconds beyond the deadline in which the server may still say itself that it is over."""

Heard = Callable[[ArgusError, float], None]
"""Hears what a try ended with, and in how many seconds the next one is made."""


def nothing(*_: object) -> None:
    """Hears, and lets it be."""


class Patience:
    """Counts the tries of one call, from when it is made."""

    def __init__(
        self,
        deadline: float | None,
        *,
        retry: Retry,
        clock: Callable[[], float],
        rng: random.Random,
        heard: Heard = nothing,
    ) -> None:
        """`deadline` in seconds from now; None for no end of its own."""
        self._retry, self._clock, self._rng, self._heard = retry, clock, rng, heard
        self._ends = math.inf if deadline is None else clock() + deadline
        self._tries = 0

    def begin(self) -> float:
        """A try is made now; returns the seconds that are left, infinite for no end.

        Raises:
            DeadlineMissed: none are.
        """
        self._tries += 1
        remaining = self._ends - self._clock()
        if remaining <= 0:
            raise DeadlineMissed("the deadline passed before the request was sent")
        return remaining

    def delay(self, error: ArgusError) -> float:
        """Seconds to wait before the next try.

        Raises:
            ArgusError: the one given, where there shall be no other try.
        """
        remaining = self._ends - self._clock()
        delay = retry_delay(
            error, attempt=self._tries, remaining=remaining, retry=self._retry, rng=self._rng
        )
        if delay is None:
            raise error
        self._heard(error, delay)
        return delay


def timeout(remaining: float) -> float | None:
    """Of a call that has so many seconds; None, as the cluster's own deadline then counts."""
    return None if math.isinf(remaining) else remaining + GRACE
