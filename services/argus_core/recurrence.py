"""How often what was asked just now will be asked again.

Of those that were asked for the k-th time, some share is asked for a next time; that share is
counted, for k up to a few, and later ones count as one. What is expected then follows as in a chain
of chances: e(k) = p(k) x (1 + e(k + 1)). Nothing is known of a prompt but how often it came.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

REMEMBERED = 100_000
"""Prompts whose count is kept; of others it begins anew."""
_DEEPEST = 4
"""Times asked from which all count alike."""
_WINDOW = 2000.0
"""Requests after which one counts for 1/e of a new one."""
_MOST = 20.0
"""Times that are expected at most."""
_DOUBT = 2.0
"""Requests that did not come again, supposed before any was seen."""


class Recurrence:
    """Counts requests; not safe for threads."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._times: OrderedDict[Hashable, int] = OrderedDict()
        self._came = [0.0] * (_DEEPEST + 2)
        """By k: requests that were the k-th of theirs, from 1, faded; the last for all beyond."""

    def asked(self, prompt: Hashable) -> float:
        """A prompt was asked for; how often it is expected to come again, 0 to 20."""
        times = self._times.pop(prompt, 0) + 1
        self._times[prompt] = times
        if len(self._times) > self._remembered:
            self._times.popitem(last=False)
        self._came = [count * (1 - 1 / _WINDOW) for count in self._came]
        self._came[min(times, _DEEPEST + 1)] += 1
        return self.expected(times)

    def expected(self, times: int) -> float:
        """How often a prompt that came so many times, 1 or more, will come again."""
        deepest = self._share(_DEEPEST)
        found = min(_MOST, deepest / (1 - deepest)) if deepest < 1 else _MOST
        for k in range(_DEEPEST - 1, min(times, _DEEPEST) - 1, -1):
            found = min(_MOST, self._share(k) * (1 + found))
        return found

    def _share(self, k: int) -> float:
        """Of the k-th requests: those that a next one followed."""
        came = self._came[k] + (self._came[k + 1] if k == _DEEPEST else 0.0)
        return self._came[k + 1] / (came + _DOUBT)
