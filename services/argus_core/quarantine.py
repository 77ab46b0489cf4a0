"""What was asked when workers were lost, so that it is not asked of all the others.

Model: a bounded table of fingerprints. A loss is held against what was being drawn until that is
drawn well somewhere, or its time is over; different workers lost one after the other put it into
quarantine, for as long. Where the table is full the oldest is forgotten.

Not safe for threads; time is passed in, in seconds on the caller's clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

_MOST = 1024
"""Fingerprints."""


@dataclass(slots=True)
class _Suspect:
    until: float
    workers: set[Hashable] = field(default_factory=set)


class Quarantine:
    """Hears of losses, and tells what is to be refused."""

    def __init__(self, *, losses: int, seconds: float, most: int = _MOST) -> None:
        """After `losses` different workers, for `seconds`."""
        self._losses, self._seconds, self._most = losses, seconds, most
        self._suspects: OrderedDict[Hashable, _Suspect] = OrderedDict()

    def __len__(self) -> int:
        """What losses are held against."""
        return len(self._suspects)

    def lost(self, fingerprint: Hashable, worker: Hashable, now: float) -> bool:
        """A worker was lost with it; returns whether it is in quarantine now."""
        self._forget(now)
        suspect = self._suspects.setdefault(fingerprint, _Suspect(0.0))
        suspect.workers.add(worker)
        suspect.until = now + self._seconds
        self._suspects.move_to_end(fingerprint)
        if len(self._suspects) > self._most:
            self._suspects.popitem(last=False)
        return len(suspect.workers) >= self._losses

    def fine(self, fingerprint: Hashable) -> None:
        """It was drawn well: it was not its fault."""
        self._suspects.pop(fingerprint, None)

    def held(self, fingerprint: Hashable, now: float) -> float:
        """Seconds for which it is refused still; 0 where it is not."""
        suspect = self._suspects.get(fingerprint)
        if suspect is None or len(suspect.workers) < self._losses:
            return 0.0
        return max(0.0, suspect.until - now)

    def _forget(self, now: float) -> None:
        while self._suspects:
            fingerprint, suspect = next(iter(self._suspects.items()))
            if suspect.until > now:
                return
            del self._suspects[fingerprint]
