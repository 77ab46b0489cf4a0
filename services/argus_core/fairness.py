"""Whose turn it is: the time of workers shared between tenants, by weight.

Start-time fair queueing (P. Goyal, H. Vin and H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996),
as it is for servers that take several requests at once (SFQ(D): W. Jin, J. Chase and J. Kaur,
"Interposed proportional sharing for a storage service utility", SIGMETRICS 2004). It was chosen
because it serves by when a tenant's next image would begin, not end: what an image takes need not
be known until its level is decided, which happens when its turn has come; and it is fair however
many workers there are, and however they come and go. Deficit round robin would be as fair in the
long run, and have a tenant with one image wait for a round of all the others.

Model: a `Turns` for each priority band. A tenant that waits has a tag, in seconds of worker time
at weight 1: where its next image begins on its own account. The least tag goes first; being
served moves it on by seconds over weight. The band's clock is the furthest tag that was served. Who
has had less than its share lags behind it, by at most `credit`, so that a few images at once go
before those of a tenant that takes all that is left over; more is not saved up by not asking. (SFQ
has no credit: whoever begins to wait begins at the clock. Then a tenant that always waits has, at
every small burst of another, as many turns as that one.) Invariants:

- the tenant of the least tag among those who can be served is served: nobody idles for fairness;
- of two who wait all the while for the same workers, served seconds over weight differ by at most
  the dearest image over weight of either, and the credit that one had when they began;
- nobody goes first by reason of less than was its share for longer than `credit`;
- a tenant that does not wait leaves nothing once the clock is `credit` past its tag, or nobody
  waits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

CREDIT = 1.0
"""Seconds of worker time, where nothing else is said."""


class Turns(Generic[K]):
    """The tags of those who wait in one band; not safe for threads."""

    def __init__(self, weight: Callable[[K], float], *, credit: float = CREDIT) -> None:
        """Nobody waits.

        Args:
            weight: of a tenant, more than 0; twice as much is twice the seconds.
            credit: seconds of worker time, at weight 1, by which a tag may lag behind the clock.
        """
        self._weight, self._credit = weight, credit
        self._clock = 0.0
        self._tags: dict[K, float] = {}
        self._waiting: dict[K, int] = {}

    def __len__(self) -> int:
        """Tenants of whom something is kept."""
        return len(self._tags)

    def join(self, tenant: K) -> None:
        """One more of a tenant's images waits."""
        count = self._waiting.get(tenant, 0)
        if not count:
            self._tags[tenant] = self.tag(tenant)
        self._waiting[tenant] = count + 1

    def leave(self, tenant: K) -> None:
        """One fewer waits, whatever became of it."""
        count = self._waiting[tenant] - 1
        if count:
            self._waiting[tenant] = count
            return
        del self._waiting[tenant]
        if not self._waiting:
            self._clock = 0.0
            self._tags.clear()
        elif self._tags[tenant] <= self._clock - self._credit:
            del self._tags[tenant]

    def tag(self, tenant: K) -> float:
        """Where its next image begins; where it would, of one who does not wait."""
        least = self._clock - self._credit
        return max(self._tags.get(tenant, least), least)

    def first(self, tenants: Iterable[K]) -> K:
        """Whose turn it is of these, who wait; of equals the first."""
        return min(tenants, key=self.tag)

    def serve(self, tenant: K, seconds: float) -> None:
        """A tenant's image is served now, and takes so many seconds."""
        if not self._waiting:
            return
        start = self.tag(tenant)
        self._clock = max(self._clock, start)
        self._tags[tenant] = start + seconds / self._weight(tenant)
        self._forget()

    def correct(self, tenant: K, seconds: float) -> None:
        """What was served took so many seconds more than was thought, or fewer."""
        if tenant in self._tags:
            self._tags[tenant] += seconds / self._weight(tenant)

    def _forget(self) -> None:
        if len(self._tags) > len(self._waiting):
            tags, waiting, least = self._tags, self._waiting, self._clock - self._credit
            self._tags = {t: tag for t, tag in tags.items() if t in waiting or tag > least}


def fair_rates(
    demands: Mapping[K, float], weights: Mapping[K, float], capacity: float
) -> Mapping[K, float]:
    """What each may have of a capacity: what it asks, or its share of what others leave.

    Max-min fair (D. Bertsekas and R. Gallager, "Data Networks", 1992, 6.5.2): nobody gets more than
    it asks, and who gets less has, by weight, as much as anybody. Where all ask for less than the
    capacity, what is left belongs to everybody: each has its demand.

    Args:
        demands: by tenant, in the unit of the capacity, at least 0.
        weights: by tenant, more than 0.
        capacity: at least 0.
    """
    rates: dict[K, float] = {}
    left, weight = capacity, sum(weights[tenant] for tenant in demands)
    for tenant in sorted(demands, key=lambda t: demands[t] / weights[t]):
        rates[tenant] = min(demands[tenant], max(0.0, left) * weights[tenant] / weight)
        left -= rates[tenant]
        weight -= weights[tenant]
    return rates
