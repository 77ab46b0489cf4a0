"""Who is let in, counted in GPU seconds, and what is promised to those who are not.

A request that cannot be met at any level is refused at once. The refusal promises a place: the
request's cheapest GPU seconds are booked for when the backlog, and what was promised before, will
have been done. Whoever comes again then is known by a key and let in ahead of others.

Model: one `Ledger` for the workers that one router feeds. Invariants:

- promises fall due in the order in which they were made, at no more than `share` of what the
  workers can do; the rest is for those who come for the first time, so that they are never
  starved;
- who comes for the first time is let in only where every promise that is still to fall due would
  find a wait of at most `headroom` times its allowance, or more where few come back. What nobody
  comes for is used by others;
- a promise is kept whenever its bearer can be in time at all; one that is not is made again;
- a promise is forgotten once it is kept, or some seconds after it was due. It is never longer than
  `longest`; where it would be, or where `most` stand already, none is made and the answer says so.

If few come back, promises are made more densely, up to ten times; if bearers find a long wait, the
workers do less than was thought, and promises are made more sparsely until that is over.

O(log n) a call for n promises, amortised. Not safe for threads. Time is passed in, in seconds on
the caller's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple

from argus_core.errors import InvalidRequest, Violation

_EARLY = 0.05
"""Seconds before it is due at which a promise is kept: clocks differ a little."""
_MOST_BEARERS = 16
"""Requests of the same key that one promise is kept for."""
_LEAST_RETURNING = 0.1
"""Share of bearers that are counted on at least, however few come back."""
_LEARNT = 0.1
"""Weight of one promise's end in the share of bearers that come back."""
_SLOWER, _FASTER, _LEAST_PACE = 0.95, 1.01, 0.1
"""Factors by which a bearer's wait changes how densely promises are made, and its least value."""


class Answer(NamedTuple):
    """What a request is told."""

    admitted: bool
    retry_after: float | None = None
    """Seconds after which it has a place; None with a refusal: none is promised."""


ADMITTED = Answer(admitted=True)
DECLINED = Answer(admitted=False)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How promises are made."""

    share: float = 0.8
    """Of what the workers can do: what may be promised, more than 0 and below 1."""
    headroom: float = 0.5
    """Of a promise's allowance: the wait it shall find when it falls due, 0 to 1."""
    shortest: float = 0.05
    """Seconds; a shorter retry-after only makes clients spin."""
    longest: float = 600.0
    """Seconds; nothing is promised for later."""
    grace: float = 5.0
    """Seconds after it is due for which a promise stands at least."""
    lateness: float = 0.3
    """Of the seconds told: how much longer it stands, as clients come late in proportion."""
    most: int = 20_000
    """Promises that stand at once."""
    returning: float = 0.5
    """Share of bearers that are taken to come back, before any has or has not, 0 to 1."""


class _Promise:
    __slots__ = ("allowance", "bearers", "before", "came", "due", "expected", "key", "least",
                 "until")  # fmt: skip

    def __init__(self, key: Hashable, due: float, allowance: float) -> None:
        self.key, self.due, self.allowance = key, due, allowance
        self.bearers = 1
        """Requests that were told of it and have not come."""
        self.came = False
        """Whether one of them has come, and could not be let in."""
        self.expected = 0.0
        """GPU seconds booked, by the share of bearers that come back."""
        self.before = 0.0
        """GPU seconds booked before it since the ledger began."""
        self.least = 0.0
        """See `Ledger._bound`."""
        self.until = 0.0
        """When it is forgotten."""


class _Window:
    """Promises in order, and the one with the least of something among them: O(1) amortised."""

    __slots__ = ("_lows", "_of", "waiting")

    def __init__(self, of: Callable[[_Promise], float]) -> None:
        self._of = of
        self.waiting: deque[_Promise] = deque()
        self._lows: deque[_Promise] = deque()

    def push(self, promise: _Promise) -> None:
        self.waiting.append(promise)
        lows, of = self._lows, self._of
        value = of(promise)
        while lows and of(lows[-1]) >= value:
            lows.pop()
        lows.append(promise)

    def pop(self) -> _Promise:
        promise = self.waiting.popleft()
        if self._lows[0] is promise:
            self._lows.popleft()
        return promise

    @property
    def least(self) -> float:
        """Infinite where nothing is in it."""
        return self._of(self._lows[0]) if self._lows else inf

    def renew(self) -> None:
        """What the least is taken of has changed."""
        promises, self.waiting = self.waiting, deque()
        self._lows.clear()
        for promise in promises:
            self.push(promise)


class Ledger:
    """Admits requests, and keeps the promises made to the others."""

    def __init__(self, *, workers: float, terms: Terms | None = None) -> None:
        """Begin without promises.

        Args:
            workers: GPU seconds that are done in a second; 0 while there are none.
            terms: how promises are made.

        Raises:
            InvalidRequest: naming what is out of range.
        """
        self._terms = terms or Terms()
        if violations := _wrong(self._terms):
            raise InvalidRequest(violations)
        self._promises: dict[Hashable, _Promise] = {}
        self._coming = _Window(lambda promise: promise.least)
        self._due = _Window(lambda promise: promise.allowance)
        self._lapses: list[tuple[float, int, _Promise]] = []
        self._made = 0
        self._booked = 0.0
        """GPU seconds booked since the beginning."""
        self._fallen_due = 0.0
        """Of them: those of promises that are due, or were."""
        self._next = -inf
        """When the next promise may fall due."""
        self._gap = 0.0
        """Seconds left free for others since there was the last gap between promises."""
        self._returning = self._terms.returning
        self._pace = 1.0
        self._workers = 0.0
        self.resize(workers)

    def __len__(self) -> int:
        """Promises that stand."""
        return len(self._promises)

    @property
    def standing(self) -> bool:
        """Whether any promise stands."""
        return bool(self._promises)

    @property
    def returning(self) -> float:
        """Share of bearers that came back lately, 0 to 1."""
        return self._returning

    def resize(self, workers: float) -> None:
        """So many GPU seconds are done in a second from now on; cheap where nothing changes.

        Raises:
            InvalidRequest: it is negative or not finite.
        """
        if workers == self._workers:
            return
        if not 0 <= workers < inf:
            raise InvalidRequest.one("workers", f"must be at least 0, is {workers}")
        self._workers = workers
        for promise in self._coming.waiting:
            promise.least = self._bound(promise)
        self._coming.renew()

    def headroom(self, allowance: float) -> float:
        """Seconds of wait from which on newcomers may be refused, who could wait `allowance`.

        All of it while nothing is promised. Who serves should be at the cheapest level by then.
        """
        return self._found(allowance) if self._promises else allowance

    def ask(
        self, key: Hashable, seconds: float, wait: float, allowance: float, now: float
    ) -> Answer:
        """Whether a request is let in; if not, when to come again.

        Args:
            key: the same each time that a request comes.
            seconds: GPU time that it takes at its cheapest level, above 0.
            wait: seconds until it would begin at that level; infinite where nobody serves it.
            allowance: seconds that it may wait and be in time; negative where it never can.
            now: never earlier than in the call before.
        """
        self._pass(now)
        promise = self._promises.get(key) if self._promises else None
        if promise is not None:
            return self._bear(promise, seconds, wait, allowance, now)
        if self._fits(seconds, wait, allowance, now):
            return ADMITTED
        return self._refuse(key, seconds, wait, allowance, now)

    def turns_away(
        self, key: Hashable, seconds: float, wait: float, allowance: float, now: float
    ) -> bool:
        """Whether `ask` would refuse it, as a newcomer or as one that comes too early.

        False for whoever comes to the place that it was promised.
        """
        self._pass(now)
        promise = self._promises.get(key)
        if promise is not None and now >= promise.due - _EARLY:
            return False
        return not self._fits(seconds, wait, allowance, now)

    def _fits(self, seconds: float, wait: float, allowance: float, now: float) -> bool:
        """Whether a newcomer harms neither itself nor what is promised."""
        if not wait <= allowance:
            return False
        if not self._promises:
            return True
        wait /= self._pace
        if wait > self._found(self._due.least):
            return False
        least = self._coming.least
        return least == inf or wait + (seconds - self._fallen_due) / self._workers <= least - now

    def _bear(
        self, promise: _Promise, seconds: float, wait: float, allowance: float, now: float
    ) -> Answer:
        """Who was promised a place has come: in time, late, or too early."""
        if now < promise.due - _EARLY:
            if self._fits(seconds, wait, allowance, now):
                self._leave(promise, returned=True)
                return ADMITTED
            promise.bearers = min(promise.bearers + 1, _MOST_BEARERS)
            return Answer(admitted=False, retry_after=promise.due - now)
        if wait <= allowance:
            self._learn_pace(wait, allowance)
            self._leave(promise, returned=True)
            return ADMITTED
        self._pace = max(self._pace * _SLOWER, _LEAST_PACE)
        if not (allowance >= 0 and wait < inf):
            self._leave(promise, returned=True)
            return DECLINED
        again = max(wait - self._found(allowance), self._terms.shortest)
        promise.due, promise.came = now + again, True
        self._stand(promise, now)
        return Answer(admitted=False, retry_after=again)

    def _refuse(
        self, key: Hashable, seconds: float, wait: float, allowance: float, now: float
    ) -> Answer:
        """Promise a place, if there is one to be had."""
        if not seconds > 0:
            raise InvalidRequest.one("seconds", f"must be more than 0, is {seconds}")
        terms, workers = self._terms, self._workers
        if not (allowance >= 0 and wait < inf and workers > 0):
            return DECLINED
        ahead = wait + (self._booked - self._fallen_due) / workers
        due = max(self._next, now + ahead - self._found(allowance), now + terms.shortest)
        if due - now > terms.longest or len(self._promises) >= terms.most:
            return DECLINED
        self._book(_Promise(key, due, allowance), seconds)
        self._promises[key].until = 0.0
        self._stand(self._promises[key], now)
        return Answer(admitted=False, retry_after=due - now)

    def _book(self, promise: _Promise, seconds: float) -> None:
        """Take the promise's GPU seconds out of what can still be promised."""
        promise.expected = seconds * max(self._returning, _LEAST_RETURNING)
        promise.before = self._booked
        self._booked += promise.expected
        promise.least = self._bound(promise)
        self._coming.push(promise)
        self._promises[promise.key] = promise
        # Gaps are whole images long: a single worker cannot use less.
        length = promise.expected / self._workers
        self._gap += length * (1 / (self._terms.share * self._pace) - 1)
        self._next = promise.due + length
        if self._gap >= length:
            self._next += self._gap
            self._gap = 0.0

    def _bound(self, promise: _Promise) -> float:
        """The wait that the promise bears now, once time and what fell due before are taken off."""
        if not self._workers:
            return inf
        due = promise.due - promise.before / self._workers
        return due + self._found(promise.allowance)

    def _found(self, allowance: float) -> float:
        """The wait that a bearer shall find; the fewer come back, the less room need be left."""
        counted_on = max(self._returning, _LEAST_RETURNING)
        return allowance * (1 - counted_on * (1 - self._terms.headroom))

    def _stand(self, promise: _Promise, now: float) -> None:
        """Have the promise forgotten in good time."""
        terms = self._terms
        promise.until = promise.due + terms.grace + terms.lateness * (promise.due - now)
        self._made += 1
        heappush(self._lapses, (promise.until, self._made, promise))

    def _pass(self, now: float) -> None:
        """Time has passed: promises fall due, or lapse."""
        coming, due = self._coming, self._due
        while coming.waiting and coming.waiting[0].due <= now:
            promise = coming.pop()
            self._fallen_due += promise.expected
            if promise.bearers:
                due.push(promise)
        while due.waiting and (
            not due.waiting[0].bearers or due.waiting[0].due + self._terms.grace <= now
        ):
            due.pop()
        while self._lapses and self._lapses[0][0] <= now:
            until, _, promise = heappop(self._lapses)
            if promise.until == until and promise.bearers:
                promise.bearers = 1
                self._leave(promise, returned=False)

    def _leave(self, promise: _Promise, *, returned: bool) -> None:
        """One of the promise's bearers needs it no more."""
        if not promise.came:
            self._returning += _LEARNT * (returned - self._returning)
        promise.bearers -= 1
        if not promise.bearers:
            del self._promises[promise.key]

    def _learn_pace(self, wait: float, allowance: float) -> None:
        """A bearer shall find a wait of about `headroom`; more means that the workers lag."""
        long = wait > allowance * (1 + self._terms.headroom) / 2
        pace = self._pace * (_SLOWER if long else _FASTER)
        self._pace = min(max(pace, _LEAST_PACE), 1.0)


def _wrong(terms: Terms) -> list[Violation]:
    ranges = {
        "share": 0 < terms.share < 1,
        "headroom": 0 <= terms.headroom <= 1,
        "shortest": 0 < terms.shortest < inf,
        "longest": terms.shortest <= terms.longest < inf,
        "grace": 0 <= terms.grace < inf,
        "lateness": 0 <= terms.lateness < inf,
        "most": terms.most >= 0,
        "returning": 0 <= terms.returning <= 1,
    }
    return [
        Violation(f"terms.{name}", f"is out of range: {getattr(terms, name)}")
        for name, fine in ranges.items()
        if not fine
    ]
