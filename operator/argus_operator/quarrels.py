"""Objects that do not stay as they were written: somebody else changes them back each time.

Pure. Whoever does so may be wrong, or the document may be; a war of writes mends neither, and all
pay for it. So an object is put right at once a few times, then later each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Key = tuple[str, str]

_AT_ONCE = 3
"""Times that an object is put right at once."""
_LONGEST = 60.0
"""Seconds that it is left alone at most."""
_CALM = 300.0
"""Seconds without a change, after which it is as if there had been none."""


@dataclass
class _Quarrel:
    times: int
    at: float
    by: str


class Quarrels:
    """Of the objects of one cluster; `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: dict[Key, _Quarrel] = {}

    def changed(self, key: Key, by: str) -> None:
        """What was as it should be is so no longer; `by` is who did it, empty where none knows."""
        quarrel, now = self._standing(key), self._clock()
        self._of[key] = _Quarrel(quarrel.times + 1 if quarrel else 1, now, by)

    def may_mend(self, key: Key) -> bool:
        """Whether it may be put right now."""
        quarrel = self._standing(key)
        if quarrel is None or quarrel.times <= _AT_ONCE:
            return True
        return self._clock() - quarrel.at >= min(_LONGEST, 2.0 ** (quarrel.times - _AT_ONCE))

    def told(self) -> dict[str, str]:
        """By object that is left alone for a while, who changes it; empty where none knows."""
        self._of = {key: found for key in self._of if (found := self._standing(key))}
        return {" ".join(k): q.by for k, q in self._of.items() if q.times > _AT_ONCE}

    def _standing(self, key: Key) -> _Quarrel | None:
        quarrel = self._of.get(key)
        return quarrel if quarrel and self._clock() - quarrel.at < _CALM else None
