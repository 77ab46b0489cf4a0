"""Which level serves a prompt: what is weighed, what comes out, and who decides.

A `Policy` is given what a request asks and every level of the ladder as it stands now. It
returns a decision that explains itself, or raises the error that the client shall see. A new
policy is a class with `choose`; `screened` does what no policy may do differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, Protocol

from argus_core.errors import DeadlineMissed, Exhausted, InvalidRequest, Unavailable
from argus_core.pricing import NONE, pick
from argus_core.spec import Level

_SOONEST_RETRY = 0.05
"""Seconds; a shorter retry-after only makes clients spin."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a request asks of the choice."""

    remaining: float
    """Seconds until its deadline."""
    elapsed: float = 0.0
    """Seconds since it arrived."""
    minimum_quality: float = 0.0
    """Predicted quality below which it is not served, 0 to 1."""
    level: str | None = None
    """The only level that may serve it; None for any."""
    room: float = inf
    """Seconds of worker time that it may take before others who wait are late."""
    strained: float = inf
    """The same where no level takes as little as `room`: others then have less in hand."""


class Candidate(NamedTuple):
    """A level as it stands for one request; a tuple, since many are made for each."""

    level: Level
    quality: float
    """Predicted for the prompt, 0 to 1."""
    wait: float | None
    """Seconds until it would begin; None while no worker holds the variant."""
    seconds: float
    """Worker time that it takes."""
    fresh: bool
    """Whether `seconds` rests on something seen lately."""
    has_start: bool = False
    """Whether a latent is at hand to stand in for the skipped steps."""
    price: float = 0.0
    """Of a second of worker time, in quality."""
    squeezed: float | None = None
    """What `wait` would be if all ahead were drawn at their quickest; None where not known."""
    longest: float = 0.0
    """Seconds that it may well take; `seconds` where that is more."""

    legacy: float = 0.0
    """What later requests are expected to gain by the latents that it keeps, in quality."""

    @property
    def worth(self) -> float:
        """Quality less what the worker's time costs, and what it leaves to later requests."""
        return self.quality - self.price * self.seconds + self.legacy

    @property
    def completion(self) -> float | None:
        """Seconds until it would be done; None while no worker holds the variant."""
        return None if self.wait is None else self.wait + self.seconds

    @property
    def overrun(self) -> float:
        """Seconds by which it may well take longer than expected."""
        return max(0.0, self.longest - self.seconds)


@dataclass(frozen=True, kw_only=True)
class Option:
    """A level that was weighed."""

    candidate: Candidate
    rejected: str = ""
    """Why it was not taken, in a sentence; empty for the one that was."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The level that serves a request, and why."""

    level: Level
    reason: str
    quality: float
    price: float
    seconds: float
    """Worker time that it is expected to take."""
    completion: float
    """Expected seconds from the request's arrival until it is done."""
    worth: float
    """Of its candidate: quality, less what the worker's time costs, and what it leaves behind."""
    explain: Callable[[], tuple[Option, ...]] = field(repr=False, compare=False)
    """Tells what became of every level; words are made only where somebody asks for them."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Every level, best first."""
        return self.explain()


class Policy(Protocol):
    """Chooses levels; has no state of its own that a restart would miss."""

    def choose(self, ask: Ask, candidates: Sequence[Candidate]) -> Decision:
        """Choose among all levels of the ladder, given from dearest to cheapest.

        Raises:
            InvalidRequest: no level can ever serve it.
            Exhausted: none can in time now; says when one can.
            DeadlineMissed: none can in time even when nothing else is asked.
            Unavailable: no worker holds a variant that could serve it.
        """


class PricePolicy:
    """The level that is worth most of those that meet the deadline, even if they take long.

    What a level is worth is its predicted quality less its seconds at their price. Where all
    prices are 0 that is the best level in time.
    """

    def choose(self, ask: Ask, candidates: Sequence[Candidate]) -> Decision:
        """See `Policy`; of levels worth the same, the one done first, then the dearer.

        In a queue that prices have not yet made short, a level that would be late is still taken
        where it is in time once all ahead are drawn at their quickest.
        """
        ruled_out = screened(ask, candidates)
        possible = [c for c in candidates if c.level.name not in ruled_out]
        if taken := _worth_most(ask, possible):
            return _decision(ask, taken, _praise(ask, taken, possible), candidates, ruled_out)
        if taken := _squeezed(ask, possible):
            why = f"{taken.level.name} is in time if all ahead are drawn at their quickest"
            return _decision(ask, taken, why, candidates, ruled_out)
        trial = _trial(possible)
        if trial is None:
            raise _refusal(ask, _ranked(candidates), possible)
        why = f"a worker is free and how long {trial.level.name} takes is not known well yet"
        return _decision(ask, trial, why, candidates, ruled_out)


def _worth_most(ask: Ask, possible: Sequence[Candidate]) -> Candidate | None:
    """Of those that leave room for others and for themselves; where none does, the quickest."""
    for room in dict.fromkeys((ask.room, ask.strained)):
        if taken := _dearest(ask, possible, room):
            return taken
    in_time = [c for c in possible if _spare(ask, c) >= 0]
    return min(in_time, key=_quick, default=None)


def _dearest(ask: Ask, possible: Sequence[Candidate], room: float) -> Candidate | None:
    """Worth most of those that take no more than `room` and are in time even if they take long."""
    # Of those worth the same the first is taken: the one done first.
    order = sorted((c for c in possible if c.seconds <= room), key=lambda c: c.completion or 0.0)
    taken = pick(
        [c.quality + c.legacy for c in order],
        [max(c.seconds, c.longest) for c in order],
        [c.seconds for c in order],
        queue_of=range(len(order)),
        waits=[c.wait or 0.0 for c in order],
        prices=[c.price for c in order],
        remaining=ask.remaining,
    )
    return None if taken == NONE else order[taken]


def _squeezed(ask: Ask, possible: Sequence[Candidate]) -> Candidate | None:
    quick = [c for c in possible if _least_completion(c) <= ask.remaining]
    return min(quick, key=_quick, default=None)


def _quick(candidate: Candidate) -> tuple[float, float]:
    """Sorts the quickest first; of those as quick the one that is worth most."""
    return candidate.seconds, -candidate.worth


def _least_completion(candidate: Candidate) -> float:
    wait = candidate.wait if candidate.squeezed is None else candidate.squeezed
    assert wait is not None, "screened before"
    return wait + candidate.seconds


def roomiest(ask: Ask, candidates: Sequence[Candidate]) -> Candidate | None:
    """The level with most time to spare once all ahead are drawn at their quickest.

    What admission asks for; None where no level is open to the request, or none could be in time
    even if nothing waited.
    """
    ruled_out = screened(ask, candidates)
    able = [c for c in candidates if c.level.name not in ruled_out and c.seconds <= ask.remaining]
    return min(able, key=_least_completion, default=None)


def quickest(ask: Ask, candidates: Sequence[Candidate]) -> Mapping[str, Candidate]:
    """The quickest level open to a request, by variant."""
    ruled_out = screened(ask, candidates)
    least: dict[str, Candidate] = {}
    for c in candidates:
        variant = c.level.variant
        if c.level.name not in ruled_out and (
            variant not in least or c.seconds < least[variant].seconds
        ):
            least[variant] = c
    return least


def screened(ask: Ask, candidates: Sequence[Candidate]) -> Mapping[str, str]:
    """Levels that no policy may take, with the reason of each."""
    return {c.level.name: reason for c in candidates if (reason := _closed(ask, c))}


def _closed(ask: Ask, candidate: Candidate) -> str:
    level = candidate.level
    if ask.level is not None and level.name != ask.level:
        return f"the request asks for {ask.level}"
    if level.skipped_steps and not candidate.has_start:
        return "no latent is at hand to start from"
    if candidate.quality < ask.minimum_quality:
        return f"quality {candidate.quality:.2f} is below the minimum {ask.minimum_quality:.2f}"
    if candidate.wait is None:
        return f"no worker holds {level.variant}"
    return ""


def _spare(ask: Ask, candidate: Candidate) -> float:
    assert candidate.completion is not None, "screened before"
    return ask.remaining - candidate.completion


def _trial(possible: Sequence[Candidate]) -> Candidate | None:
    """The quickest level, where a worker idles and the estimate may well be wrong.

    Without it an estimate that is too high would never be corrected, as nothing is run by it.
    """
    quickest = min(possible, key=_quick, default=None)
    if quickest is None or quickest.fresh or quickest.wait:
        return None
    return quickest


def _ranked(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Best first; of those worth the same the one done first."""
    return sorted(candidates, key=lambda c: (-c.worth, c.completion or 0.0))


def _decision(
    ask: Ask,
    taken: Candidate,
    reason: str,
    candidates: Sequence[Candidate],
    ruled_out: Mapping[str, str],
) -> Decision:
    def rejected(candidate: Candidate) -> str:
        if candidate is taken:
            return ""
        known = ruled_out.get(candidate.level.name)
        return known or _too_late(ask, candidate) or _worse(ask, candidate, taken)

    assert taken.completion is not None
    return Decision(
        level=taken.level,
        reason=reason,
        quality=taken.quality,
        price=taken.price,
        seconds=taken.seconds,
        completion=ask.elapsed + taken.completion,
        worth=taken.worth,
        explain=lambda: tuple(
            Option(candidate=c, rejected=rejected(c)) for c in _ranked(candidates)
        ),
    )


def _too_late(ask: Ask, candidate: Candidate) -> str:
    late = -_spare(ask, candidate)
    return f"would be {late:.2f} s late" if late > 0 else ""


def _worse(ask: Ask, candidate: Candidate, taken: Candidate) -> str:
    if candidate.seconds > ask.room:
        return f"its {candidate.seconds:.2f} s would make others late who wait"
    if candidate.overrun > _spare(ask, candidate):
        return f"it may well take {candidate.longest:.2f} s, and then would be late"
    if candidate.price or taken.price or taken.legacy:
        return f"it is worth {_sum(candidate)}; {taken.level.name} {_sum(taken)}"
    return f"{taken.level.name} is better"


def _sum(candidate: Candidate) -> str:
    c = candidate
    later = f" and {c.legacy:.3f} for its latents" if c.legacy else ""
    return f"{c.worth:.3f} ({c.quality:.3f} less {c.seconds:.2f} s at {c.price:.3f}{later})"


def _praise(ask: Ask, taken: Candidate, possible: Sequence[Candidate]) -> str:
    name = taken.level.name
    if len(possible) == 1 or taken.legacy:
        again = f"worth {_sum(taken)}: the prompt is likely to come again"
        return f"{name} is {again if taken.legacy else 'the only level open to the request'}"
    if taken.quality == max([c.quality for c in possible]):
        return f"{name} is the best level open to the request, and it is in time"
    possible = _ranked(possible)
    best = max(possible, key=lambda c: c.quality)
    rival = max((c for c in possible if _spare(ask, c) >= 0), key=lambda c: c.quality)
    if taken.quality == rival.quality:
        return f"{name} is the best level in time; {best.level.name} is not"
    if rival.seconds > ask.room:
        return f"{name} leaves room for others who wait; {rival.level.name} does not"
    if rival.overrun > _spare(ask, rival):
        return f"{name} is in time; {rival.level.name} is not if it takes as long as it did lately"
    return f"{name} is worth {_sum(taken)}; {rival.level.name} only {_sum(rival)}"


def _refusal(
    ask: Ask, ranked: Sequence[Candidate], possible: Sequence[Candidate]
) -> Exhausted | DeadlineMissed | Unavailable | InvalidRequest:
    if not possible:
        return _nothing_open(ask, ranked)
    nearest = max(possible, key=lambda c: _spare(ask, c))
    quickest = min(possible, key=lambda c: c.seconds)
    if quickest.seconds > ask.remaining:
        return DeadlineMissed(
            f"{ask.remaining:.2f} s are left, and {quickest.level.name}, the quickest level open "
            f"to the request, takes {quickest.seconds:.2f} s"
        )
    late = -_spare(ask, nearest)
    return Exhausted(
        f"no level open to the request is in time; {nearest.level.name} would be {late:.2f} s late",
        # The backlog shrinks by a second each second: then it would just be in time.
        retry_after=max(late, _SOONEST_RETRY),
    )


def _nothing_open(ask: Ask, ranked: Sequence[Candidate]) -> InvalidRequest | Unavailable:
    """Tell what can never be from what is only not now: a worker may load the variant."""
    held = [c._replace(wait=0.0) for c in ranked]
    if not (closed := [c for c in held if not _closed(ask, c)]):
        return _never(ask, held)
    variants = sorted({c.level.variant for c in closed})
    return Unavailable(f"no worker holds {' or '.join(variants)} now")


def _never(ask: Ask, ranked: Sequence[Candidate]) -> InvalidRequest:
    asked = [c for c in ranked if ask.level in (None, c.level.name)]
    if not asked:
        names = ", ".join(c.level.name for c in ranked)
        return InvalidRequest.one("level", f"there is no level {ask.level!r}; there are {names}")
    usable = [c for c in asked if c.has_start or not c.level.skipped_steps]
    if not usable:
        return InvalidRequest.one("level", f"{ask.level} needs a latent to start from")
    best = max(c.quality for c in usable)
    return InvalidRequest.one(
        "minimum_quality", f"no level is expected to reach it; the best is {best:.3f}"
    )
