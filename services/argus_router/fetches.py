"""How the latent store fares, as the fetches of starts tell; what a start costs, and if it may be.

The arithmetic is `argus_core.starts`; here every fetch is counted, and it is said once when starts
close and once when they open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from argus_core.starts import Starts

log = logging.getLogger(__name__)

USUAL = 0.005
"""Seconds of a fetch while the store is well: a latent of SDXL is 128 KiB, which a disk, or a Redis
on the same network, gives in a millisecond or two; as much again for the way and the check."""


class Fetches:
    """Hears of every fetch; one for a router. Times are seconds on the router's clock."""

    def __init__(
        self,
        *,
        tell: Callable[[float, bool], None] = lambda _s, _found: None,
        turned: Callable[[bool], None] = lambda _open: None,
    ) -> None:
        """Nothing was fetched yet.

        Args:
            tell: hears of every fetch: seconds, and whether it found its latent.
            turned: hears after each whether starts are open.
        """
        self._starts, self._tell, self._turned = Starts(USUAL), tell, turned

    @property
    def closed(self) -> bool:
        """Whether nothing begins from a latent now, but for a try now and then."""
        return self._starts.closed

    def cost(self, now: float) -> float:
        """Seconds that a fetch adds to a level; of a try, while closed."""
        return USUAL if self.closed else self._starts.extra(now)  # noqa: S610

    def may_try(self, now: float) -> bool:
        """Whether this one job, which will fetch then, may try though closed."""
        return self._starts.probe(now)

    def heard(self, seconds: float, *, found: bool, now: float) -> None:
        """A fetch has ended."""
        before = self.closed
        self._starts.heard(seconds, found, now)
        self._tell(seconds, found)
        self._turned(not self.closed)
        if self.closed and not before:
            log.warning("starts are closed: the latent store does not give what it should have")
        elif before and not self.closed:
            log.info("starts are open again")
