"""PAC: the paper's allocation with its loads, prompts not looked at."""

from __future__ import annotations

from collections.abc import Sequence

from argus_core.policies.allocation import fill
from argus_core.policies.proteus import Allocated


class Pac(Allocated):
    """Any prompt may get any level; only the shares of the levels are kept."""

    name = "pac"

    def loads(self, capacity: Sequence[float], servers: Sequence[int]) -> Sequence[float]:
        """The allocation's: better levels are filled first."""
        del servers
        return fill(capacity, self.setting.qualities, self.demand)
