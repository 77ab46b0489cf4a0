"""What each tenant asks for lately, and what it may have while others ask too.

Asked is counted twice, in seconds of worker time a second: as it would be drawn at best, and as
quickly as it may be. A tenant is `over` where even the latter is more than it may have; of such a
one only so much is let in, so that there is room for others whenever they come.

Model: sums that fade, one pair a tenant. A tenant that has asked for nothing in a while leaves
nothing. Not safe for threads; time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp

from argus_core.fairness import fair_rates

_FORGOTTEN = 4.0
"""Times the memory without anything asked, after which a tenant is forgotten."""
_LEAST = 1e-9
"""Share of what workers can do."""


@dataclass(slots=True)
class _Asked:
    best: float
    least: float
    at: float


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What each tenant that asks may have; of one that does not, all."""

    of: Mapping[str, float] = field(default_factory=dict)
    """Of what the workers can do, 0 to 1, while others get what they ask for or as much."""
    over: frozenset[str] = frozenset()
    """Tenants that ask for more than that even at their quickest."""

    def share(self, tenant: str) -> float:
        """Of one tenant."""
        return self.of.get(tenant, 1.0)


ALONE = Shares()


class Demand:
    """Hears what is asked, and tells shares."""

    def __init__(self, weight: Callable[[str], float], *, memory: float) -> None:
        """`memory`: seconds over which what is asked is counted, more than 0."""
        self._weight, self._memory = weight, memory
        self._asked: dict[str, _Asked] = {}

    def __len__(self) -> int:
        """Tenants that are remembered."""
        return len(self._asked)

    def __contains__(self, tenant: str) -> bool:
        """Whether a tenant is remembered."""
        return tenant in self._asked

    def saw(self, tenant: str, *, best: float, least: float, now: float) -> None:
        """A tenant asks for what takes so many seconds, at best and at its quickest."""
        asked = self._asked.get(tenant)
        if asked is None:
            self._asked[tenant] = _Asked(best, least, now)
            return
        kept = exp((asked.at - now) / self._memory)
        asked.best, asked.least, asked.at = (
            asked.best * kept + best,
            asked.least * kept + least,
            now,
        )

    def shares(self, capacity: float, now: float) -> Shares:
        """What each may have now.

        Args:
            capacity: seconds of worker time that are done in a second.
            now: on the caller's clock.
        """
        self._forget(now)
        if len(self._asked) <= 1 or capacity <= 0:
            return ALONE
        best = {tenant: self._rate(asked.best, asked, now) for tenant, asked in self._asked.items()}
        weights = {tenant: self._weight(tenant) for tenant in best}
        rates = fair_rates(best, weights, capacity)
        spare = max(0.0, capacity - sum(rates.values()))
        level = max(rates[tenant] / weights[tenant] for tenant in rates)
        may = {t: max(rates[t] + spare, min(level * weights[t], capacity)) for t in rates}
        return Shares(
            of={tenant: min(1.0, max(_LEAST, rate / capacity)) for tenant, rate in may.items()},
            over=frozenset(
                tenant
                for tenant, asked in self._asked.items()
                if self._rate(asked.least, asked, now) > may[tenant]
            ),
        )

    def _rate(self, seconds: float, asked: _Asked, now: float) -> float:
        return seconds * exp((asked.at - now) / self._memory) / self._memory

    def _forget(self, now: float) -> None:
        limit = now - _FORGOTTEN * self._memory
        if any(asked.at < limit for asked in self._asked.values()):
            self._asked = {t: asked for t, asked in self._asked.items() if asked.at >= limit}
