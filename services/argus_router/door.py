"""Who is let in: what waits and what was promised, weighed before a request is queued.

The arithmetic is `argus_core.admission`; here a request's images, the workers that hold what it
needs and the bound of the queue are put into its terms. A request's images come in together or
not at all.

Promises are this router's own: a client that comes again at another router is a newcomer there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nextafter

from argus_core.admission import Ledger
from argus_core.choice import Ask, Candidate, roomiest
from argus_core.errors import Exhausted
from argus_router.request import Request

_SURE = 0.8
"""Of the time that a request may wait: what it is let in by. When much is under way at once, images
take a fifth longer than one by one."""


class Door:
    """Refuses at once what cannot be had in time, and promises it a place."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        """Images that may wait."""
        self._ledger = Ledger(workers=0)

    @property
    def promised(self) -> int:
        """Requests that were told when to come again, and may."""
        return len(self._ledger)

    def require(
        self,
        request: Request,
        ask: Ask,
        candidates: Sequence[Candidate],
        *,
        slots: int,
        holding: Mapping[str, int],
        queued: int,
        now: float,
    ) -> None:
        """Make sure that a request may come in.

        Args:
            request: what is asked; it is known again by what it asks for.
            ask: its terms.
            candidates: every level, as it stands for one image.
            slots: requests that all ready workers take at once.
            holding: of them, by variant, those that can serve it.
            queued: images that wait.
            now: seconds on the router's clock.

        Raises:
            Exhausted: it may not; to be retried after so many seconds, if it says so.

        A request that no level can serve in time even without a queue passes: the choice of level
        says what is wrong with it.
        """
        best = roomiest(ask, candidates)
        if best is None or request.count > self._limit:
            return
        share = holding[best.level.variant]
        each = best.seconds / share
        """Seconds by which an image keeps those behind it waiting."""
        wait, allowance = self._tightest(ask, best, each, request.count, queued)
        self._ledger.resize(slots)
        work = best.seconds * request.count * slots / share
        answer = self._ledger.ask(request.identity, work, wait, allowance, now)
        if not answer.admitted:
            raise _refusal(best, wait, allowance, answer.retry_after)

    def _tightest(
        self, ask: Ask, best: Candidate, each: float, count: int, queued: int
    ) -> tuple[float, float]:
        """The wait, and how long it may be: by the deadline, or by the room in the queue."""
        wait = best.wait if best.squeezed is None else best.squeezed
        assert wait is not None, "screened before"
        allowance = _SURE * (ask.remaining - best.seconds) - (count - 1) * each
        free = self._limit - count - queued
        if free * each < allowance - wait:
            longest = (self._limit - count) * each
            return (queued * each if free >= 0 else nextafter(longest, 2 * longest + 1)), longest
        return wait, allowance


def _refusal(
    best: Candidate, wait: float, allowance: float, retry_after: float | None
) -> Exhausted:
    long = f"{best.level.name} would begin in {wait:.2f} s, and may in {max(0.0, allowance):.2f} s"
    why = long if wait > allowance else "what is free was promised to others"
    if retry_after is None:
        return Exhausted(f"no level open to the request is in time, nor will one be soon: {why}")
    return Exhausted(
        f"no level open to the request is in time: {why}; a place is kept for it",
        retry_after=retry_after,
    )
