"""The router's metrics; every label takes its values from the spec or from a fixed list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from math import isfinite

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from argus_core.spec import ClusterSpec, Level
from argus_router.answer import PARTS, REASONS, Prediction
from argus_router.faults import Fault
from argus_router.job import Job
from argus_router.load import Outcome
from argus_router.promises import Promises
from argus_router.request import Band
from argus_router.scoring import Judged
from argus_rpc.metrics import Children

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_PRIORITIES = {band: band.name.lower() for band in Band}
_QUALITY = tuple(step / 20 for step in range(1, 21))
_AT_ONCE = 100
"""Tenants whose series are there from the start: a scrape of a thousand takes 30 ms of the loop."""


class Metrics:
    """One registry, so that two routers in one process do not meet.

    What can be told of the document's levels, variants and tenants is there from the start, as 0:
    of a series that begins with 1, `rate` and `increase` miss the first event. Where the document
    names many tenants, a tenant's series begin when it first asks (`came`).
    """

    def __init__(self, spec: ClusterSpec) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.promises = Promises(spec.slo, own)
        self._requests = Children(
            Counter(
                "argus_router_requests",
                "Images by how they ended.",
                ["variant", "level", "priority", "outcome"],
                registry=own,
            )
        )
        self._duration = Children(
            Histogram(
                "argus_router_request_duration_seconds",
                "From arrival to the image, of those drawn.",
                ["variant", "level"],
                buckets=_SECONDS,
                registry=own,
            )
        )
        self._queue = Children(
            Histogram(
                "argus_router_queue_duration_seconds",
                "From arrival until handed to the worker that drew it.",
                ["variant"],
                buckets=_SECONDS,
                registry=own,
            )
        )
        self._overhead = Histogram(
            "argus_router_overhead_seconds",
            "The router's own time: what is neither prediction, waiting for a worker nor drawing.",
            buckets=_SHORT,
            registry=own,
        )
        self._predict = Histogram(
            "argus_predictor_duration_seconds",
            "Time to an answer of the predictor.",
            buckets=_SHORT,
            registry=own,
        )
        self._fallback = Counter(
            "argus_predictor_fallback",
            "Prompts whose quality was taken from the priors.",
            ["reason"],
            registry=own,
        )
        for reason in REASONS:
            self._fallback.labels(reason)
        self._ignored = Counter(
            "argus_predictor_ignored",
            "Parts of the predictor's answers that were malformed, and left out.",
            ["part"],
            registry=own,
        )
        for part in PARTS:
            self._ignored.labels(part)
        self._starts = Counter(
            "argus_router_starts",
            "Starts that were used, missed by the latent store, or not tried as they are closed.",
            ["outcome"],
            registry=own,
        )
        for outcome in ("used", "missed", "closed"):
            self._starts.labels(outcome)
        self._fetch = Histogram(
            "argus_router_fetch_duration_seconds",
            "To fetch a latent to begin from, or to give up.",
            ["outcome"],
            buckets=_SHORT,
            registry=own,
        )
        for outcome in ("used", "missed"):
            self._fetch.labels(outcome)
        self._judged = Counter(
            "argus_router_judged",
            "Of the sample of images served: scored, dropped, interrupted by real work, failed.",
            ["outcome"],
            registry=own,
        )
        for outcome in Judged:
            self._judged.labels(outcome)
        self._quality = Children(
            Histogram(
                "argus_quality_score",
                "Predicted quality of the images drawn.",
                ["level"],
                buckets=_QUALITY,
                registry=own,
            )
        )
        self.queue_size = Gauge(
            "argus_router_queue_size", "Images waiting.", ["variant"], registry=own
        )
        self.workers = Gauge(
            "argus_router_workers", "Workers on the roster.", ["state"], registry=own
        )

        self.starts_open = Gauge(
            "argus_router_starts_open", "1 while images may begin from latents.", registry=own
        )

        self._faults = Counter(
            "argus_router_faults",
            "Attempts lost or hung; workers ejected, returned; prompts in quarantine, and images "
            "refused for it; images drawn a second time, and where that was there first.",
            ["kind"],
            registry=own,
        )
        for kind in Fault:
            self._faults.labels(kind)
        self._tenants = Children(
            Counter(
                "argus_router_tenant_images",
                "Images by how they ended, of the tenants that the document names; of all others.",
                ["tenant", "outcome"],
                registry=own,
            )
        )
        self._parts = Gauge(
            "argus_router_part_up",
            "1 while a part that the router can do without is there: predictor, store, control.",
            ["part"],
            registry=own,
        )
        self._changes = Counter(
            "argus_router_part_changes",
            "Times that such a part was gone, or there again.",
            ["part", "to"],
            registry=own,
        )
        self._there: dict[str, bool] = {}
        for part in ("predictor", "store", "control"):
            for to in ("up", "down"):
                self._changes.labels(part, to)
        self.holding = Gauge(
            "argus_router_variant_workers",
            "Workers that hold a variant and serve.",
            ["variant"],
            registry=own,
        )
        self._prices = Gauge(
            "argus_router_price",
            "Of a second of worker time by the plan, in quality; absent where nobody holds it.",
            ["variant"],
            registry=own,
        )
        self._seconds = Gauge(
            "argus_router_level_seconds",
            "Of one image of the default size: stated by the document, and measured, where images "
            "were drawn lately.",
            ["level", "gpu_type", "source"],
            registry=own,
        )
        self.plan_changes = Counter(
            "argus_router_plan_changes",
            "Plans that have a pool's workers hold something else than the plan before.",
            registry=own,
        )
        self.plan = Gauge("argus_router_plan_id", "Of the plan that is followed.", registry=own)
        self._begin(spec)

    def _begin(self, spec: ClusterSpec) -> None:
        """Have the series that the document's names make."""
        bands = list(_PRIORITIES.values())
        for level in spec.ladder:
            self._duration(level.variant, level.name)
            self._queue(level.variant)
            self._quality(level.name)
            for band, outcome in product(bands, Outcome):
                if outcome is not Outcome.INVALID:
                    self._requests(level.variant, level.name, band, outcome)
        for band, outcome in product([*bands, "none"], Outcome):
            if outcome is not Outcome.OK:
                self._requests("none", "none", band, outcome)
        names = [tenant.name for tenant in spec.tenants]
        self._awaited = set(names if len(names) > _AT_ONCE else ())
        for tenant in {*names, "other"} - self._awaited:
            self._begin_tenant(tenant)

    def _begin_tenant(self, label: str) -> None:
        for outcome in Outcome:
            self._tenants(label, outcome)

    def came(self, label: str) -> None:
        """A tenant asks: what there is to tell of it begins before any of its images end."""
        if label in self._awaited:
            self._awaited.discard(label)
            self._begin_tenant(label)

    def fault(self, kind: str) -> None:
        """Something of `argus_router.faults.Fault` happened."""
        self._faults.labels(kind).inc()

    def tenant(self, label: str, outcome: str, count: int = 1) -> None:
        """Images of a tenant ended."""
        self._tenants(label, outcome).inc(count)

    def part(self, part: str, there: bool) -> None:  # noqa: FBT001 - reads well in a call
        """A part is there, or gone; counted where that is news."""
        if self._there.get(part) != there:
            self._there[part] = there
            self._parts.labels(part).set(there)
            self._changes.labels(part, "up" if there else "down").inc()

    def predicted(self, prediction: Prediction) -> None:
        """A prompt's quality was asked for."""
        self._predict.observe(prediction.seconds)
        if prediction.fallback:
            self._fallback.labels(prediction.fallback).inc()
        for part in prediction.ignored:
            self._ignored.labels(part).inc()

    def fetched(self, seconds: float, found: bool) -> None:  # noqa: FBT001 - reads well in a call
        """A start was fetched, or given up."""
        outcome = "used" if found else "missed"
        self._starts.labels(outcome).inc()
        self._fetch.labels(outcome).observe(seconds)

    def start_closed(self) -> None:
        """A prompt had a start, and starts are closed."""
        self._starts.labels("closed").inc()

    def judged(self, outcome: str) -> None:
        """Something became of an image of the sample that is judged."""
        self._judged.labels(outcome).inc()

    def ended(self, job: Job, outcome: str) -> None:
        """An image ended."""
        level = job.decision.level if job.decision else None
        names = (level.variant, level.name) if level else ("none", "none")
        self._requests(*names, _PRIORITIES[job.terms.band], outcome).inc()

    def turned_away(self, count: int, priority: str, outcome: str) -> None:
        """Images were refused before they became jobs."""
        self._requests("none", "none", priority, outcome).inc(count)

    def priced(self, prices: Mapping[str, float]) -> None:
        """A plan is in force, with these prices by variant; infinite where nobody holds it."""
        self._prices.clear()
        for variant, price in prices.items():
            if isfinite(price):
                self._prices.labels(variant).set(price)

    def took(self, seconds: Iterable[tuple[Level, str, float | None]]) -> None:
        """What images take, by level and GPU type; None where none was drawn lately."""
        self._seconds.clear()
        for level, gpu_type, measured in seconds:
            self._seconds.labels(level.name, gpu_type, "stated").set(level.seconds[gpu_type])
            if measured is not None:
                self._seconds.labels(level.name, gpu_type, "measured").set(measured)

    def drawn(
        self, job: Job, *, total: float, queue: float, overhead: float, trace: str = ""
    ) -> None:
        """An image was drawn; all in seconds. `trace` is its exemplar's, empty for none."""
        decision, exemplar = job.settled, {"trace_id": trace} if trace else None
        duration = self._duration(decision.level.variant, decision.level.name)
        duration.observe(total, exemplar)
        self._queue(decision.level.variant).observe(queue)
        self._overhead.observe(max(0.0, overhead))
        self._quality(decision.level.name).observe(decision.quality)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All of it, in the format asked for by an Accept header, and that format's type.

        Exemplars are told in OpenMetrics only.
        """
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind
