"""Who is let in: what waits and what was promised, weighed before a request is queued.

The arithmetic is `argus_core.admission`; here a request's images, the workers that hold what it
needs and the bound of the queue are put into its terms. A request's images come in together or
not at all.

Every tenant has a ledger of its own, over its share of the workers: what is promised to one is
never taken from another.

Promises are this router's own: a client that comes again at another router is a newcomer there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, nextafter

from argus_core.admission import Ledger
from argus_core.choice import Ask, Candidate
from argus_core.errors import Exhausted
from argus_router.request import Request

SURE = 0.8
"""Of its time: what a request is let in by, and what those who wait are left by who goes first. The
rest is for what goes otherwise than expected: when much is under way at once, images take a fifth
longer than one by one."""


_MOST_LEDGERS = 100
"""From here on those without promises are forgotten, and what they learnt."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request at the door."""

    request: Request
    """It is known again by what it asks for."""
    ask: Ask
    """Its terms."""
    best: Candidate
    """The level with most time to spare, as it stands for one image."""
    slots: int
    """Requests that all ready workers take at once."""
    holding: int
    """Of them, those that can serve that level."""
    behind: float
    """Seconds of their time that it may take before those who wait and go after it are late."""
    queued: int
    """Images that wait: all, or where there are others the tenant's own."""
    now: float
    """Seconds on the router's clock."""
    tenant: str = ""
    """Whose it is."""
    share: float = 1.0
    """Of the workers: what the tenant may have."""
    limit: int | None = None
    """Images that may wait with it; None where it is alone."""


class Door:
    """Refuses at once what cannot be had in time, and promises it a place."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        """Images that may wait."""
        self._ledgers: dict[str, Ledger] = {}

    @property
    def promised(self) -> int:
        """Requests that were told when to come again, and may."""
        return sum(map(len, self._ledgers.values()))

    @property
    def room(self) -> float:
        """Of the time that newcomers may wait, how much they get, for the sake of promises."""
        return min((ledger.headroom(1.0) for ledger in self._ledgers.values()), default=1.0)

    def require(self, asked: Asked) -> None:
        """Make sure that a request may come in.

        Raises:
            Exhausted: it may not; to be retried after so many seconds, if it says so.

        A request with more images than may ever wait passes: the queue says what is wrong with it.
        """
        if (weighed := self._weigh(asked)) is None:
            return
        ledger, work, wait, allowance, late = weighed
        answer = ledger.ask(asked.request.identity, work, wait, allowance, asked.now)
        if not answer.admitted:
            why = _why(asked.best, wait, allowance, pushes=late > 0)
            raise _refusal(why, answer.retry_after)

    def turns_away(self, asked: Asked) -> bool:
        """Whether `require` would refuse it; False for who comes to the place it was promised.

        Nothing is promised to it by that.
        """
        if (weighed := self._weigh(asked)) is None:
            return False
        ledger, work, wait, allowance, _ = weighed
        return ledger.turns_away(asked.request.identity, work, wait, allowance, asked.now)

    def _weigh(self, asked: Asked) -> tuple[Ledger, float, float, float, float] | None:
        """The ledger to ask, worker time, the wait, what it may be, how late it makes others."""
        best, count, holding = asked.best, asked.request.count, asked.holding
        limit = self._limit if asked.limit is None else asked.limit
        if count > limit:
            return None
        each = best.seconds / holding
        """Seconds by which an image keeps those behind it waiting."""
        wait, allowance = _tightest(asked.ask, best, each, count, queued=asked.queued, limit=limit)
        if (late := count * each - asked.behind / holding) > 0:
            wait = max(wait, allowance + late)
        ledger = self._ledger(asked.tenant, asked.slots * _rounded(asked.share))
        return ledger, best.seconds * count * asked.slots / holding, wait, allowance, late

    def _ledger(self, tenant: str, workers: float) -> Ledger:
        if tenant not in self._ledgers:
            if len(self._ledgers) >= _MOST_LEDGERS:
                standing = {t: ledger for t, ledger in self._ledgers.items() if ledger.standing}
                self._ledgers = standing
            self._ledgers[tenant] = Ledger(workers=workers)
        ledger = self._ledgers[tenant]
        ledger.resize(workers)
        return ledger


def _tightest(
    ask: Ask, best: Candidate, each: float, count: int, *, queued: int, limit: int
) -> tuple[float, float]:
    """The wait, and how long it may be: by the deadline, or by the room in the queue."""
    wait = best.wait if best.squeezed is None else best.squeezed
    assert wait is not None, "screened before"
    allowance = SURE * (ask.remaining - best.seconds) - (count - 1) * each
    free = limit - count - queued
    if free * each < allowance - wait:
        longest = (limit - count) * each
        return (queued * each if free >= 0 else nextafter(longest, 2 * longest + 1)), longest
    return wait, allowance


def _rounded(share: float) -> float:
    """A share that changes by steps of a tenth: to resize a ledger takes a look at each promise."""
    return min(1.0, exp(round(log(share) * 10) / 10))


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
