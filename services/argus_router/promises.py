"""How images stand to what the document promises: its SLO's targets, and what kept or broke them.

A bad image spends the budget of one objective only, so that one fault is told of once:

- `latency`: it is not there in time, or was refused as it would not have been;
- `availability`: a fault of ours failed it;
- `quality`: it was drawn, and by its prediction is worth less than a good one.

What the asker has to answer for counts nowhere: invalid requests, cancelled ones, used-up quotas.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from argus_core.spec import Slo
from argus_router.load import Outcome

LATENCY, AVAILABILITY, QUALITY = OBJECTIVES = ("latency", "availability", "quality")
GOOD, BAD = VERDICTS = ("good", "bad")


class Promises:
    """Counts images for and against each objective."""

    def __init__(self, slo: Slo, registry: CollectorRegistry) -> None:
        self._good_quality = slo.good_quality
        images = Counter(
            "argus_slo_images",
            "Images by whether they kept an objective's promise.",
            ["objective", "verdict"],
            registry=registry,
        )
        self._images = {
            (objective, verdict): images.labels(objective, verdict)
            for objective in OBJECTIVES
            for verdict in VERDICTS
        }
        target = Gauge(
            "argus_slo_target_ratio",
            "Share of images that must keep an objective's promise.",
            ["objective"],
            registry=registry,
        )
        target.labels(LATENCY).set(slo.target)
        target.labels(AVAILABILITY).set(slo.availability_target)
        target.labels(QUALITY).set(slo.quality_target)

    def drawn(self, quality: float) -> None:
        """An image is there in time, and worth so much by its prediction."""
        self._count(LATENCY, GOOD)
        self._count(AVAILABILITY, GOOD)
        self._count(QUALITY, GOOD if quality >= self._good_quality else BAD)

    def missed(self, outcome: Outcome, count: int = 1) -> None:
        """Images ended otherwise."""
        if outcome is Outcome.FAILED:
            self._count(AVAILABILITY, BAD, count)
        elif outcome in (Outcome.LATE, Outcome.REFUSED):
            self._count(AVAILABILITY, GOOD, count)
            self._count(LATENCY, BAD, count)

    def _count(self, objective: str, verdict: str, count: int = 1) -> None:
        self._images[objective, verdict].inc(count)
