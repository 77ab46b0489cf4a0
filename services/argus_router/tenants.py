"""Whose requests are whose: names, weights, quotas, and what each tenant may have now.

Tenants that the document names are told apart always; of others the latest `MOST_OTHERS` are, and
all beyond these count as one. So what is kept is bounded, whatever names clients send.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf

from argus_core.demand import ALONE, Demand, Shares
from argus_core.errors import OverQuota
from argus_core.quota import Bucket
from argus_core.spec import ClusterSpec
from argus_core.spec_tenants import Quota

MOST_OTHERS = 64
"""Tenants that are not named, and are told apart nevertheless."""
OTHERS = "_others_"
"""All beyond these; no tenant can have this name."""
_SHORTEST_MEMORY = 5.0
"""Seconds over which what is asked is counted, where the deadline is shorter."""
_RECKONED = 0.25
"""Seconds for which shares hold; they are made anew at once where workers or tenants change."""


class Tenants:
    """Lives on the router's event loop; times are seconds on its clock."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._named = {tenant.name: tenant for tenant in spec.tenants}
        self._others = spec.tenant_defaults
        self._latest: OrderedDict[str, float] = OrderedDict()
        self._memory = max(spec.slo.deadline_seconds, _SHORTEST_MEMORY)
        self._demand = Demand(self.weight, memory=self._memory)
        self._images: dict[str, Bucket] = {}
        self._seconds: dict[str, Bucket] = {}
        self._shares = ALONE
        self._reckoned = -inf, -1.0

    def key(self, name: str, now: float) -> str:
        """Whom a request counts for; its own name, as long as there are not too many."""
        if name in self._named:
            return name
        latest = self._latest
        if name not in latest and len(latest) >= MOST_OTHERS:
            oldest, seen = next(iter(latest.items()))
            if now - seen < self._memory:
                return OTHERS
            del latest[oldest]
            self._images.pop(oldest, None)
            self._seconds.pop(oldest, None)
        latest[name] = now
        latest.move_to_end(name)
        return name

    def label(self, name: str) -> str:
        """For metrics: the tenant's name where the document has it, else `other`."""
        return name if name in self._named else "other"

    def weight(self, key: str) -> float:
        """Relative to others'."""
        return self._quota(key).weight

    def require(self, key: str, images: int, *, seconds: float, queued: int, now: float) -> None:
        """Make sure that a tenant's quotas let more images in, and count them.

        Args:
            key: of the tenant.
            images: how many.
            seconds: of worker time that they take at least, together.
            queued: of the tenant's images, those that wait.
            now: the time.

        Raises:
            OverQuota: they do not; with the seconds after which they will.
        """
        quota = self._quota(key)
        if quota.max_queued is not None and queued + images > quota.max_queued:
            raise OverQuota(
                f"tenant {key} may have {quota.max_queued} images waiting, and has {queued}",
                retry_after=max(0.05, seconds / images),
            )
        buckets = [
            (self._images, quota.max_images_per_second, float(images), "images"),
            (self._seconds, quota.max_seconds_per_second, seconds, "seconds of worker time"),
        ]
        taken = []
        for kept, rate, amount, unit in buckets:
            if rate is None:
                continue
            bucket = kept.setdefault(key, Bucket(rate, now=now))
            if (wait := bucket.wait(amount, now)) > 0:
                raise OverQuota(
                    f"tenant {key} may use {rate:g} {unit} a second", retry_after=max(0.05, wait)
                )
            taken.append((bucket, amount))
        for bucket, amount in taken:
            bucket.take(amount, now)

    def correct(self, key: str, seconds: float, now: float) -> None:
        """So many seconds of worker time were used beyond what was counted, or fewer."""
        if bucket := self._seconds.get(key):
            bucket.take(seconds, now)

    def saw(self, key: str, *, best: float, least: float, now: float) -> None:
        """A tenant asks for so many seconds of worker time, at best and at its quickest."""
        if key not in self._demand:
            self._reckoned = -inf, -1.0
        self._demand.saw(key, best=best, least=least, now=now)

    def shares(self, slots: int, now: float) -> Shares:
        """What each may have, of so many slots."""
        at, reckoned = self._reckoned
        if now - at > _RECKONED or reckoned != slots:
            self._shares, self._reckoned = self._demand.shares(slots, now), (now, slots)
        return self._shares

    def _quota(self, key: str) -> Quota:
        return self._named.get(key, self._others)
