"""Whether levels that begin from a cached latent are open, and what fetching it adds to them.

Model: one `Starts` for each latent store, fed with how every fetch ended. Invariants:

- open: a level costs its own seconds and the expected seconds of a fetch, so that a slow store
  makes such levels dear by itself. What is expected fades back to the usual while nothing is
  fetched, or else a level that has become too dear would never be tried again;
- closed once 5 of the last 10 fetches have failed. Then one request at a time may try, after 1 s
  and after twice as long each time that fails, 30 s at most;
- open again once 3 in a row have found their latent; closed again soon after, it waits twice as
  long as before.

Not safe for threads. Time is passed in, on the caller's clock; nothing is drawn by lot.
"""

from __future__ import annotations

from math import exp2, inf

from argus_core.errors import InvalidRequest

_WEIGHT = 0.2
"""Of a new fetch, and more the longer none was heard of; the latest five or so count most."""
_HALF_LIFE = 10.0
"""Seconds without a fetch after which what is above the usual counts for half."""
_RECENT, _FAILURES = 10, 5
"""Closed once so many of so many recent fetches have failed."""
_FIRST_GAP, _LONGEST_GAP = 1.0, 30.0
"""Seconds between tries while closed: doubled after each that fails."""
_TRIES = 3
"""That must find their latent, one after the other, before it opens."""

_WINDOW = (1 << _RECENT) - 1


class Starts:
    """Hears of every fetch, and tells what the next is expected to cost."""

    __slots__ = ("_at", "_closed", "_excess", "_found", "_gap", "_next", "_recent", "_tried",
                 "_turned", "_usual")  # fmt: skip

    def __init__(self, usual: float) -> None:
        """Begin open.

        Args:
            usual: seconds of a fetch while the store is well.

        Raises:
            InvalidRequest: it is negative or not finite.
        """
        if not 0 <= usual < inf:
            raise InvalidRequest.one("usual", f"must be seconds, at least 0, is {usual}")
        self._usual = usual
        self._excess = 0.0
        """Expected seconds above the usual, at `_at`."""
        self._at = 0.0
        self._recent = 0
        """A bit for each of the last fetches, the latest lowest: 1 for a failure."""
        self._closed = False
        self._turned = -inf
        """When it last opened."""
        self._gap = _FIRST_GAP
        self._next = 0.0
        """When the next may try while closed."""
        self._tried = False
        """Whether one was let try and has not been heard of."""
        self._found = 0
        """Of the tries, those in a row that found their latent."""

    @property
    def closed(self) -> bool:
        """Whether no level may begin from a cached latent, but for a try now and then."""
        return self._closed

    def extra(self, now: float) -> float:
        """Seconds that a fetch is expected to add to a level; infinite while closed."""
        if self._closed:
            return inf
        return self._usual + self._excess * self._fade(now) if self._excess else self._usual

    def heard(self, seconds: float, found: bool, now: float) -> None:  # noqa: FBT001
        """A latent was fetched in so many seconds, or given up after them.

        Seconds that cannot be (negative, not finite) are not learnt from.
        """
        if not 0 <= seconds < inf:
            return
        if self._closed:
            self._heard_while_closed(seconds, found, now)
            return
        kept = (1 - _WEIGHT) * self._fade(now)
        self._excess = kept * self._excess + (1 - kept) * (seconds - self._usual)
        self._at = now
        self._recent = (self._recent << 1 | (not found)) & _WINDOW
        if self._recent.bit_count() >= _FAILURES:
            self._close(now)

    def probe(self, now: float) -> bool:
        """Whether this one request may try though closed.

        Ask only for a request that will fetch if it may: True is said once in each interval.
        One that is never heard of counts as nothing.
        """
        if not self._closed or now < self._next:
            return False
        self._next = now + self._gap
        self._tried = True
        return True

    def _fade(self, now: float) -> float:
        return exp2((self._at - now) / _HALF_LIFE) if now > self._at else 1.0

    def _close(self, now: float) -> None:
        self._closed, self._tried, self._found = True, False, 0
        lasted = now - self._turned > _LONGEST_GAP
        self._gap = _FIRST_GAP if lasted else min(2 * self._gap, _LONGEST_GAP)
        self._next = now + self._gap

    def _heard_while_closed(self, seconds: float, found: bool, now: float) -> None:  # noqa: FBT001
        if not found:
            if self._tried:  # Others were on their way when it closed, and tell nothing new.
                self._gap = min(2 * self._gap, _LONGEST_GAP)
                self._next = now + self._gap
            self._tried, self._found = False, 0
            return
        if not self._found:
            self._excess = 0.0
        self._found += 1
        self._excess += (seconds - self._usual - self._excess) / self._found
        self._at, self._next, self._tried = now, now, False
        if self._found >= _TRIES:
            self._closed, self._recent, self._turned = False, 0, now
