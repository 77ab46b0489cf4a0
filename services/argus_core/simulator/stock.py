"""The latent store of a run: how long a fetch takes at a moment, and whether it finds anything."""

from __future__ import annotations

from argus_core.simulator.scenario import Store


class Stock:
    """Answers fetches."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._outages = sorted(store.outages, key=lambda outage: outage.start)

    def fetch(self, now: float) -> tuple[float, bool]:
        """Seconds that a fetch begun now takes, and whether it finds the latent."""
        store = self._store
        for outage in self._outages:
            if outage.start <= now < outage.end:
                seconds = store.fetch_seconds * outage.slowdown
                return (seconds, True) if seconds <= store.timeout else (store.timeout, False)
        return store.fetch_seconds, True
