"""Looks at one cluster that failed: when the next is, and whether this one's failure is told. Pure.

That the API server answers nobody is told once for all clusters (`outage`). A cluster tells only
what is its own: another error, or that it is not answered again while looks at others succeed.
"""

from __future__ import annotations

from dataclasses import dataclass

from argus_operator.gateway import Away
from argus_operator.outage import Outage

_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds before what failed is tried again: twice as many each time, up to a bound."""
_LONGEST_AFTER = 60.0
"""Seconds that the API server may put a cluster off for at most."""


@dataclass(frozen=True, kw_only=True)
class Setback:
    """What to do about a look that failed."""

    pause: float
    """Seconds before the next, at least."""
    told: bool
    """Whether to tell of it."""


class Setbacks:
    """Of the cluster that `outage` knows as `who`."""

    def __init__(self, who: str, outage: Outage) -> None:
        self._who, self._outage = who, outage
        self._trouble, self._pause, self._again = "", _PAUSE, False

    def over(self) -> None:
        """A look has succeeded."""
        self._trouble, self._pause, self._again = "", _PAUSE, False
        self._outage.looked()
        self.end()

    def end(self) -> None:
        """There are no looks any more."""
        self._outage.waiting.discard(self._who)

    def failed(self, error: Exception, began: float) -> Setback:
        """A look has, which began then by the outage's clock."""
        pause, own = self._pause, True
        if isinstance(error, Away):
            self._outage.waiting.add(self._who)
            pause = max(pause, min(error.after, _LONGEST_AFTER))
            own = self._again and self._outage.looked_since(began)
        told = own and self._trouble != repr(error)
        if told:
            self._trouble = repr(error)
        self._pause, self._again = min(2 * self._pause, _LONGEST_PAUSE), True
        return Setback(pause=pause, told=told)
