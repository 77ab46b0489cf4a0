"""Whether the API server answers anybody, said once when it does not and once when it does again.

Pure. A thousand clusters that ask in vain have one trouble, not a thousand: whoever asks only says
how that went, and only who fails while others are answered has a trouble of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_GRACE = 2.0
"""Seconds without any answer after which it is said to be away: a connection may break."""


class Outage:
    """One for a process: of all that ask the API server.

    `clock` is in seconds and never goes back; `tell` is called with a sentence for people.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self._clock, self._tell = clock, tell
        self._since: float | None = None
        """When it was first not answered; None where the last request was."""
        self._told = False
        self._looked_at = float("-inf")
        """When a look at any cluster last succeeded."""
        self.waiting: set[str] = set()
        """Clusters whose last look failed as it was not answered."""
        self.kept: Callable[[], int] = lambda: 0
        """How many clusters there are."""

    def failed(self, why: str) -> None:
        """A request was not answered."""
        now = self._clock()
        if self._since is None:
            self._since = now
        if not self._told and now - self._since >= _GRACE:
            self._told = True
            many = _many(self.kept())
            self._tell(f"{why}; {many} wait for it, and all that runs goes on")

    def answered(self) -> None:
        """A request was, whatever with."""
        since, told = self._since, self._told
        self._since, self._told = None, False
        if told and since is not None:
            now = self._clock()
            waited = f"{_many(len(self.waiting))} to be looked at anew"
            self._tell(f"the API server answers again after {now - since:.0f} s; {waited}")

    def looked(self) -> None:
        """A look at a cluster has succeeded."""
        self._looked_at = self._clock()

    def looked_since(self, moment: float) -> bool:
        """Whether one has later than then: an API server that begins answers some things sooner."""
        return self._looked_at > moment


def _many(clusters: int) -> str:
    return "1 cluster" if clusters == 1 else f"{clusters} clusters"
