"""Owners of pods that the API server refused, and when each is asked to try again. Pure.

Their controllers try again later each time, in the end every quarter of an hour, however soon a
quota was raised. Any change to the owner has them try at once, so it is touched now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

_EVERY = 300.0
"""Seconds between two touches, and before the first: until then controllers try as often. Each try
costs an event, of which Kubernetes lets an object have 25, and one more in this time: were these
spent, nobody could tell why pods are refused."""


class Nudges:
    """Of one cluster; `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def due(self, refused: Iterable[str]) -> list[str]:
        """Of all owners whose pods are refused now, those to touch; they count as touched then."""
        now = self._clock()
        self._last = {who: self._last.get(who, now) for who in refused}
        due = [who for who, last in self._last.items() if now - last >= _EVERY]
        self._last |= dict.fromkeys(due, now)
        return due
