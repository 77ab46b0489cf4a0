"""The worker's metrics, for Prometheus; labels are its variants and fixed words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from argus_core.device_health import Cause
from argus_core.states import WorkerPhase
from argus_protos.v1 import cluster_pb2
from argus_worker.encodings import Encodings
from argus_worker.order import Drawn, Order
from argus_worker.tally import Tally

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_LOAD = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class Metrics:
    """One registry a worker."""

    def __init__(
        self,
        state: Callable[[], cluster_pb2.WorkerState],
        tally: Tally | None,
        encodings: Encodings,
    ) -> None:
        """`state` is asked at every scrape; `tally` is of the latent store, None without one."""
        self.registry = own = CollectorRegistry()
        self._stages = Histogram(
            "argus_worker_stage_duration_seconds",
            "Of an image's stages: queue, encode, denoise, decode.",
            ["variant", "stage"],
            buckets=_SECONDS,
            registry=own,
        )
        self._drawn = Histogram(
            "argus_worker_image_duration_seconds",
            "From being taken until it is drawn.",
            ["variant"],
            buckets=_SECONDS,
            registry=own,
        )
        self._loads = Histogram(
            "argus_worker_model_load_duration_seconds",
            "Of what was assigned, once nothing ran any more.",
            buckets=_LOAD,
            registry=own,
        )
        own.register(_Now(state, tally, encodings))

    def drawn(self, order: Order, drawn: Drawn) -> None:
        """An image is done."""
        variant = order.held.variant
        stages = {
            "queue": drawn.queue,
            "encode": drawn.encode,
            "denoise": drawn.denoise,
            "decode": drawn.decode,
        }
        for stage, took in stages.items():
            self._stages.labels(variant, stage).observe(took)
        self._drawn.labels(variant).observe(sum(stages.values()))

    def loaded(self, took: float) -> None:
        """A loadout was loaded, in so many seconds."""
        self._loads.observe(took)


class _Now(Collector):
    """What the worker says of itself when it is asked."""

    def __init__(
        self,
        state: Callable[[], cluster_pb2.WorkerState],
        tally: Tally | None,
        encodings: Encodings,
    ) -> None:
        self._state, self._tally, self._encodings = state, tally, encodings

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        own = cluster_pb2.WorkerPhase.Name(state.phase).removeprefix("WORKER_PHASE_").lower()
        phase = GaugeMetricFamily(
            "argus_worker_phase", "1 for the phase that the worker is in.", labels=["phase"]
        )
        for each in WorkerPhase:
            phase.add_metric([each.value], float(each.value == own))
        yield phase
        yield GaugeMetricFamily(
            "argus_worker_in_flight", "Images that it draws.", value=state.in_flight
        )
        yield GaugeMetricFamily("argus_worker_slots", "Images at once.", value=state.slots)
        yield GaugeMetricFamily(
            "argus_worker_healthy",
            "1 while the device is of use.",
            value=float(state.health.ok),
        )
        unwell = GaugeMetricFamily(
            "argus_worker_unhealthy_cause",
            "1 for what is wrong with the device.",
            labels=["cause"],
        )
        for cause in Cause:
            unwell.add_metric([cause], float(state.health.cause == cause))
        yield unwell
        if state.health.HasField("temperature_celsius"):
            yield GaugeMetricFamily(
                "argus_worker_temperature_celsius",
                "Of the device, where its driver tells.",
                value=state.health.temperature_celsius,
            )
        yield GaugeMetricFamily(
            "argus_worker_memory_used_bytes",
            "Of the accelerator that this process has taken; 0 on a CPU.",
            value=state.memory.device_bytes,
        )
        yield GaugeMetricFamily(
            "argus_worker_memory_bytes",
            "That the accelerator has; 0 on a CPU.",
            value=state.memory.device_total_bytes,
        )
        yield from _encodings(self._encodings)
        if self._tally is not None:
            yield from _store(self._tally.counts(), lost=self._tally.lost)


def _encodings(encodings: Encodings) -> Iterator[Metric]:
    orders = CounterMetricFamily(
        "argus_worker_encodings",
        "Orders by whether their prompt's encoding was kept.",
        labels=["outcome"],
    )
    orders.add_metric(["reused"], encodings.reused)
    orders.add_metric(["made"], encodings.made)
    yield orders
    yield GaugeMetricFamily(
        "argus_worker_encodings_bytes",
        "Of host memory, for what prompts were encoded to.",
        value=encodings.bytes,
    )


def _store(counts: Mapping[str, int], *, lost: bool) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "argus_worker_store_up", "1 while the latent store answers.", value=float(not lost)
    )
    latents: Counter[str] = Counter()
    for outcome, count in counts.items():
        latents[outcome.partition(".")[0]] += count
    calls = CounterMetricFamily(
        "argus_worker_store_latents", "Latents by what became of them.", labels=["outcome"]
    )
    for outcome, count in latents.items():
        calls.add_metric([outcome], count)
    yield calls
