"""Proteus: an allocation for the whole cluster, renewed every 30 s, prompts not looked at."""

from __future__ import annotations

from collections.abc import Mapping

from argus_core.policies.allocation import Allocator, Counts
from argus_core.policies.routed import Routed


class Allocated(Routed):
    """Workers by the best allocation for the demand; a demand too great is lowered."""

    def prepare(self) -> None:
        """Levels that are slower than the deadline on every GPU type are left out."""
        self.allocator = Allocator(self.paces, self.setting.qualities)
        """Solves and remembers."""
        self.open = tuple(i for i in self.queue_of if any(p[i] > 0 for p in self.paces.values()))
        """Levels that can be in time."""

    def plan(self, demand: float, available: Mapping[str, int]) -> Counts:
        """See `argus_core.policies.allocation`."""
        return self.allocator.counts(demand, available, levels=self.open)


class Proteus(Allocated):
    """The load goes to levels in proportion to what their workers carry; late ones are dropped."""

    name = "proteus"
    period = 30.0
