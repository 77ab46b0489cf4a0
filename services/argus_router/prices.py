"""What a second of worker time costs now, by variant: the plan's price, and the backlog's.

The backlog's price is a curve that rises from 0 to that of refusing (`argus_core.curve`), made
from what lately arrived, how long levels take and who holds what; the same as in the simulator. It
is made anew when the plan or the workers change, when a level's seconds have moved, when arrivals
come much faster or slower, and every few seconds. It is made by the levels that every prompt can
have: those that need a cached latent are not among them. Variants that share workers have one
curve, over all of these: it is the workers' time that is dear. It ends where the door closes
(`argus_router.door`), so that levels are cheap before anybody is refused; as the door goes by the
deadlines that requests have, so does the curve where these are nearer than the promised one. The
plan's price is the least while no worker with the variant is free: what other routers have waiting
is seen by the plan alone.

Where several images are drawn at once, prices here are of a slot's second, a part of the worker's.

Model: lives on the router's event loop; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median_low

from argus_core.curve import FREE, PriceCurve
from argus_core.kin import numbered
from argus_core.policies.market import Market
from argus_core.policies.pulse import Pulse
from argus_core.spec import ClusterSpec
from argus_protos.v1 import cluster_pb2
from argus_router.company import Company
from argus_router.door import SURE

_PROMPTS = 100
"""Recent prompts that prices rest on."""
_SHORTEST_MEMORY = 5.0
"""Seconds over which arrivals are counted, where the deadline is shorter."""
_RENEWED = 5.0
"""Seconds after which prices are made anew whatever has changed."""
_MOVED, _LEAPT = 0.1, 0.5
"""Share by which a level's seconds must change for that to be soon, and at once."""
_SOON = 0.5
"""Seconds: a level of milliseconds varies by a tenth from image to image; a curve takes some."""
_FASTER = 1.3
"""Times by which arrivals must come faster or slower for the curves to be others at once: a burst
would else have a curve made for each of its first hundred, at some milliseconds each."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A variant's workers and what waits for them."""

    slots: int
    """Of the workers that hold it and are ready."""
    backlog: float
    """Seconds of work that waits or is under way, a slot."""
    idle: bool
    """Whether a slot is free."""
    kin: str = ""
    """Name of the variants that share its workers, itself among them; empty for itself alone."""
    kin_slots: int = 0
    """Slots of the workers of all of these; 0 where it is alone."""


class Prices:
    """Hears of arrivals and plans, and tells prices."""

    def __init__(self, spec: ClusterSpec) -> None:
        variants = [variant.name for variant in spec.variants]
        self._company, self._pools = Company(spec), {pool.name: pool for pool in spec.pools}
        self._promised = self._deadline = spec.slo.deadline_seconds
        self._loss = spec.planning.shed_loss
        self._levels = [level.name for level in spec.ladder]
        self._variant_of = [level.variant for level in spec.ladder]
        self._cached = [level.skipped_steps > 0 for level in spec.ladder]
        self._queue_of: Mapping[str, int] = {variant: i for i, variant in enumerate(variants)}
        """By variant: the number of its kin, of those that have curves."""
        self._market = self._new_market()
        self._pulse = Pulse(memory=max(self._deadline, _SHORTEST_MEMORY), forecast=0.0)
        priors = tuple(level.quality for level in spec.ladder)
        self._sample: deque[Sequence[float]] = deque([priors], maxlen=_PROMPTS)
        self._remaining: deque[float] = deque(maxlen=_PROMPTS)
        """Seconds that recent requests had when they came."""
        self._variants, self._planned = variants, dict.fromkeys(variants, 0.0)
        self._forecast = self._rate = self._priced = 0.0
        self.room = 1.0
        """Of the time that the door gives to a request: what it gets, for the sake of promises."""
        self._workers: tuple[tuple[int, str], ...] = ()
        """By variant: slots and kin."""
        self._seconds: Sequence[float] = ()
        self._made_at = -inf

    def apply(self, plan: cluster_pb2.Plan) -> None:
        """A plan is in force: a variant costs the cheapest of the loadouts that hold it."""
        for variant in self._variants:
            held = [a for a in plan.allocations if a.workers and variant in a.loadout]
            self._planned[variant] = min((a.price / self._at_once(a) for a in held), default=0.0)
        self._forecast = plan.forecast_rate
        self._made_at = -inf

    def _at_once(self, allocation: cluster_pb2.Allocation) -> int:
        """Images that share a second of such a worker; 1 where the document does not tell."""
        pool = self._pools.get(allocation.pool)
        most = pool and self._company.most(allocation.loadout, pool.gpu_type)
        return min(pool.slots, most) if pool and most else 1

    def saw(
        self,
        qualities: Mapping[str, float] | None,
        images: int,
        now: float,
        *,
        remaining: float = inf,
    ) -> None:
        """Images of a prompt were asked for.

        Args:
            qualities: by level that they can have; None where nothing was predicted, and they are
                counted alone.
            images: how many.
            now: seconds on the router's clock.
            remaining: seconds until their deadline.
        """
        self._remaining.append(remaining)
        for _ in range(images):
            self._rate = self._pulse.beat(now)
        if qualities is not None:
            self._sample.append(tuple(qualities.get(level, 0.0) for level in self._levels))

    def of(
        self, standing: Mapping[str, Standing], seconds: Sequence[float], now: float
    ) -> Mapping[str, float]:
        """Of a second of worker time, in quality, by variant.

        Args:
            standing: by variant.
            seconds: by level, of one image at the default size.
            now: seconds on the router's clock.
        """
        pairs = zip(seconds, self._cached, strict=True)
        self._renew(standing, [inf if cached else own for own, cached in pairs], now)
        curves, queue_of = self._curves(), self._queue_of
        return {v: self._price(v, standing[v], curves[queue_of[v]]) for v in self._variants}

    def _price(self, variant: str, standing: Standing, curve: PriceCurve) -> float:
        least = 0.0 if standing.idle else self._planned[variant]
        return max(least, curve.price(standing.backlog))

    def _curves(self) -> Sequence[PriceCurve]:
        # This router sees only its own share of what the workers get; the plan sees all.
        rate = max(self._rate, self._forecast)
        if not self._priced / _FASTER <= rate <= self._priced * _FASTER:
            self._priced = rate
        if not self._priced:
            return [FREE] * len(self._queue_of)
        return self._market.curves(self._priced, room=SURE * self.room)

    def _renew(
        self, standing: Mapping[str, Standing], seconds: Sequence[float], now: float
    ) -> None:
        workers = tuple((_slots(standing[v]), standing[v].kin) for v in self._variants)
        age = now - self._made_at
        moved = _moved(self._seconds, seconds, _MOVED if age > _SOON else _LEAPT)
        if age <= _RENEWED and workers == self._workers and not moved:
            return
        deadline = min(self._promised, median_low(self._remaining or [inf]))
        if workers != self._workers or abs(deadline - self._deadline) > _MOVED * self._deadline:
            self._deadline = deadline
            self._queue_of = numbered({v: standing[v].kin or v for v in self._variants})
            self._market = self._new_market()
        self._made_at, self._workers, self._seconds = now, workers, seconds
        self._priced = max(self._rate, self._forecast)
        groups: dict[int, list[str]] = {}
        for variant, queue in self._queue_of.items():
            groups.setdefault(queue, []).append(variant)
        members = [groups[queue] for queue in sorted(groups)]
        planned = [[p for v in own if (p := self._planned[v])] for own in members]
        self._market.expect(seconds)
        self._market.learn(
            sample=tuple(self._sample),
            # A price of 0 was true of the plan's load; under another's burst it promises nothing.
            prices=[min(prices, default=inf) for prices in planned],
            workers=[_slots(standing[own[0]]) for own in members],
            burstiness=1.0,
        )

    def _new_market(self) -> Market:
        return Market(
            [self._queue_of[v] for v in self._variant_of],
            deadline=self._deadline,
            loss=self._loss,
        )


def _slots(standing: Standing) -> int:
    return standing.kin_slots or standing.slots


def cheapest(plan: cluster_pb2.Plan, variant: str) -> float:
    """Of a second of the loadouts that hold a variant; infinite where nobody shall hold it."""
    held = [a.price for a in plan.allocations if a.workers and variant in a.loadout]
    return min(held, default=inf)


def _moved(before: Sequence[float], after: Sequence[float], share: float) -> bool:
    return len(before) != len(after) or any(
        abs(a - b) > share * b for b, a in zip(before, after, strict=True)
    )
