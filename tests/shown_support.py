"""Names of the metrics that processes show, from their own registries."""

from __future__ import annotations

from typing import ClassVar

from prometheus_client import CollectorRegistry

from argus_operator.metrics import Metrics as OperatorMetrics
from argus_predictor.metrics import Metrics as PredictorMetrics
from argus_protos.v1 import cluster_pb2
from argus_router.metrics import Metrics as RouterMetrics
from argus_worker.encodings import Encodings
from argus_worker.metrics import Metrics as WorkerMetrics
from argus_worker.tally import Tally
from router_support import cluster_of

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum", "")}


class Store:
    """A latent store that missed nothing."""

    misses: ClassVar = {}


def metrics() -> set[str]:
    """Of the routers, predictors, workers and operators that there are."""
    state = cluster_pb2.WorkerState(phase=cluster_pb2.WORKER_PHASE_READY)
    predictor = PredictorMetrics()
    predictor.store(answers=True)
    registries = (
        RouterMetrics(cluster_of().spec).registry,
        predictor.registry,
        WorkerMetrics(lambda: state, Tally(Store()), Encodings()).registry,
        OperatorMetrics().registry,
    )
    return set().union(*map(_shown, registries))


def _shown(registry: CollectorRegistry) -> set[str]:
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in _SUFFIXES.get(family.type, ("",))
    }
