"""Which workers get nothing for a while, because what they are given fails.

As Envoy's outlier detection has it: a worker is ejected after so many failures in a row, or where
so large a share of its last attempts failed; for a base time, times how often it was lately;
and never so many at once that too few are left. One that is let back in is on probation: its next
failure ejects it again, longer.

Not safe for threads; time is passed in, in seconds on the caller's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

_LATEST, _ENOUGH = 20, 10
"""Attempts that the share of failures is taken of, and how many there must be."""
_MOST_TIMES = 30
"""Times the base time that an ejection lasts at most."""


@dataclass(slots=True)
class _Record:
    streak: int = 0
    latest: deque[bool] = field(default_factory=lambda: deque(maxlen=_LATEST))
    """Whether each failed."""
    times: int = 0
    until: float = 0.0
    forgiven: float = 0.0
    """When `times` was last lowered, or the last ejection was over."""


class Outliers:
    """Hears how attempts end, and ejects."""

    def __init__(self, *, after: int, share: float, seconds: float, most: float) -> None:
        """See `argus_core.spec_tenants.Faults`: its fields about ejecting, in order."""
        self._after, self._share, self._seconds, self._most = after, share, seconds, most
        self._records: dict[Hashable, _Record] = {}

    def fine(self, worker: Hashable, now: float) -> None:
        """An attempt ended well; a base time without ejection makes the next one shorter."""
        record = self._records.get(worker)
        if record is None:
            return
        record.streak = 0
        record.latest.append(False)
        if record.times and now - record.forgiven > self._seconds:
            record.times, record.forgiven = record.times - 1, now

    def failed(self, worker: Hashable, now: float, *, of: int, grave: bool = False) -> float:
        """An attempt failed by the worker's fault.

        Args:
            worker: which.
            now: the time.
            of: workers that there are.
            grave: whether this one failure is enough.

        Returns the seconds for which it is ejected from now on; 0 where it is not.
        """
        record = self._records.setdefault(worker, _Record())
        record.streak += 1
        record.latest.append(True)
        if not (grave or self._is_outlier(record)) or record.until > now:
            return 0.0
        ejected = sum(other.until > now for other in self._records.values())
        if ejected + 1 > max(1, int(self._most * of)) or ejected + 1 >= of:
            return 0.0
        record.times = min(record.times + 1, _MOST_TIMES)
        length = self._seconds * record.times
        record.until = record.forgiven = now + length
        record.streak = self._after - 1
        record.latest.clear()
        return length

    def ejected(self, worker: Hashable, now: float) -> bool:
        """Whether it gets nothing now."""
        record = self._records.get(worker)
        return record is not None and record.until > now

    def gone(self, worker: Hashable) -> None:
        """It is not there any more, and what is known of it is forgotten."""
        self._records.pop(worker, None)

    def _is_outlier(self, record: _Record) -> bool:
        if record.streak >= self._after:
            return True
        latest = record.latest
        return len(latest) >= _ENOUGH and sum(latest) >= self._share * len(latest)
