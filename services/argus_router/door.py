"""Who is let in: what waits and what was promised, weighed before a request is queued.

The arithmetic is `argus_core.admission`; here a request's images, the workers that hold what it
needs and the bound of the queue are put into its terms. A request's images come in together or
not at all.

Promises are this router's own: a client that comes again at another router is a newcomer there.
"""

from __future__ import annotations

from math import nextafter

from argus_core.admission import Ledger
from argus_core.choice import Ask, Candidate
from argus_core.errors import Exhausted
from argus_router.request import Request

SURE = 0.8
"""Of its time: what a request is let in by, and what those who wait are left by who goes first. The
rest is for what goes otherwise than expected: when much is under way at once, images take a fifth
longer than one by one."""


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

    @property
    def room(self) -> float:
        """Of the time that newcomers may wait, how much they get, for the sake of promises."""
        return self._ledger.headroom(1.0)

    def require(
        self,
        request: Request,
        ask: Ask,
        best: Candidate,
        *,
        slots: int,
        holding: int,
        behind: float,
        queued: int,
        now: float,
    ) -> None:
        """Make sure that a request may come in.

        Args:
            request: what is asked; it is known again by what it asks for.
            ask: its terms.
            best: the level with most time to spare, as it stands for one image.
            slots: requests that all ready workers take at once.
            holding: of them, those that can serve that level.
            behind: seconds of their time that it may take before those who wait and go after it
                are late.
            queued: images that wait.
            now: seconds on the router's clock.

        Raises:
            Exhausted: it may not; to be retried after so many seconds, if it says so.

        A request with more images than may ever wait passes: the queue says what is wrong with it.
        """
        if request.count > self._limit:
            return
        each = best.seconds / holding
        """Seconds by which an image keeps those behind it waiting."""
        wait, allowance = self._tightest(ask, best, each, request.count, queued)
        if (late := request.count * each - behind / holding) > 0:
            wait = max(wait, allowance + late)
        self._ledger.resize(slots)
        work = best.seconds * request.count * slots / holding
        answer = self._ledger.ask(request.identity, work, wait, allowance, now)
        if not answer.admitted:
            why = _why(best, wait, allowance, pushes=late > 0)
            raise _refusal(why, answer.retry_after)

    def _tightest(
        self, ask: Ask, best: Candidate, each: float, count: int, queued: int
    ) -> tuple[float, float]:
        """The wait, and how long it may be: by the deadline, or by the room in the queue."""
        wait = best.wait if best.squeezed is None else best.squeezed
        assert wait is not None, "screened before"
        allowance = SURE * (ask.remaining - best.seconds) - (count - 1) * each
        free = self._limit - count - queued
        if free * each < allowance - wait:
            longest = (self._limit - count) * each
            return (queued * each if free >= 0 else nextafter(longest, 2 * longest + 1)), longest
        return wait, allowance


def _why(best: Candidate, wait: float, allowance: float, *, pushes: bool) -> str:
    if pushes:
        return f"{best.level.name} would make others late who wait"
    if wait > allowance:
        may = max(0.0, allowance)
        return f"{best.level.name} would begin in {wait:.2f} s, and may in {may:.2f} s"
    return "what is free was promised to others"


def _refusal(why: str, retry_after: float | None) -> Exhausted:
    if retry_after is None:
        return Exhausted(f"no level open to the request is in time, nor will one be soon: {why}")
    return Exhausted(
        f"no level open to the request is in time: {why}; a place is kept for it",
        retry_after=retry_after,
    )
