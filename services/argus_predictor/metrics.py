"""The predictor's metrics, for Prometheus; labels are the ladder's levels and fixed words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from argus_predictor.drift import Error

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class Metrics:
    """One registry a predictor."""

    def __init__(self, levels: Iterable[str] = ()) -> None:
        """`levels` are those of the ladder, by name: of these it has series from the start."""
        self.registry = CollectorRegistry()
        self.predictions = Counter(
            "argus_predictor_predictions", "Prompts, by how they ended.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "argus_predictor_prediction_duration_seconds", "From a prompt's arrival to its answer.",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.labels = Counter(
            "argus_predictor_labels", "Images judged, by level.", ["level"], registry=self.registry
        )
        self.error = Gauge(
            "argus_predictor_quality_error",
            "Measured less predicted quality, mean of the latest labels, by level.", ["level"],
            registry=self.registry,
        )  # fmt: skip
        self.margin = Gauge(
            "argus_predictor_quality_error_margin",
            "Half of the 95 % interval of argus_predictor_quality_error, by level.", ["level"],
            registry=self.registry,
        )  # fmt: skip
        self.drifted = Gauge(
            "argus_predictor_quality_drifted",
            "1 where the error is beyond luck and matters, by level.", ["level"],
            registry=self.registry,
        )  # fmt: skip
        self.heads = Counter(
            "argus_predictor_heads", "Heads, by what became of them.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.entries = Gauge(
            "argus_predictor_neighbour_entries", "Earlier prompts with latents that are known.",
            registry=self.registry,
        )  # fmt: skip
        self._store: Gauge | None = None
        for outcome in ("ok", "invalid", "shed", "late", "failed"):
            self.predictions.labels(outcome)
        for outcome in ("swapped", "refused", "failed"):
            self.heads.labels(outcome)
        for level in levels:
            self.labels.labels(level)

    def store(self, *, answers: bool) -> None:
        """Have a gauge say whether the latent store answers; there is none before this is known."""
        if self._store is None:
            self._store = Gauge(
                "argus_predictor_store_up", "1 while the latent store answers.",
                registry=self.registry,
            )  # fmt: skip
        self._store.set(answers)

    def tell(self, errors: Mapping[str, Error]) -> None:
        """Have the gauges say what is known of predictions' errors."""
        for level, error in errors.items():
            if error.labels > 1:
                self.error.labels(level).set(error.mean)
                self.margin.labels(level).set(error.margin)
                self.drifted.labels(level).set(error.drifted)
