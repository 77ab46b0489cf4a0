"""What became of a worker's calls to the latent store, and whether it answers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from argus_latents.store import Store

log = logging.getLogger(__name__)


class Tally:
    """Counts for metrics; says once in the log when the store is lost, and once when it is back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: Counter[str] = Counter()
        self.lost = False
        """Whether the last call failed."""

    def counts(self) -> Mapping[str, int]:
        """Since the start, by what it was.

        `fetched`, `unsound` (not of the variant's shape, or not finite), `failed`, `kept`, `full`,
        `dropped` (too much was waiting to be kept), and `miss.REASON`.
        """
        misses = {f"miss.{reason}": count for reason, count in self._store.misses.items()}
        return {**self._counts, **misses}

    def count(self, what: str, times: int = 1) -> None:
        """It happened, so often."""
        self._counts[what] += times

    def failed(self, error: Exception) -> None:
        """The store did not do what it was asked."""
        self.count("failed")
        if not self.lost:
            reason = str(error) or type(error).__name__
            log.warning("the latent store is lost, doing without: %s", reason)
        self.lost = True

    def answered(self) -> None:
        """The store did."""
        if self.lost:
            log.info("the latent store is back")
        self.lost = False
