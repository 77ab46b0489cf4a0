"""What a control loop tells Prometheus of the clusters that it controls.

Times are seconds since 1970, so that their age is told by whoever asks, however late.
"""

from __future__ import annotations

import time
from collections import Counter as Count
from collections.abc import Callable, Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics import MetricWrapperBase

from argus_core.measured import Belief
from argus_core.states import WorkerPhase

LOST = "lost"
"""The phase of a worker that is not heard."""
_PHASES = (*WorkerPhase, LOST)
_WHERE = ("namespace", "cluster")
_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


class Series:
    """Remembers which series are whose, so that to forget a cluster takes no look at all others."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, ...], set[tuple[MetricWrapperBase, tuple[str, ...]]]] = {}

    def of(self, metric: _Metric, *labels: str) -> _Metric:
        """The series of these labels, the first two being namespace and cluster."""
        self._of.setdefault(labels[:2], set()).add((metric, labels))
        return metric.labels(*labels)

    def forget(self, namespace: str, cluster: str) -> None:
        """Take away all series of a cluster."""
        for metric, labels in self._of.pop((namespace, cluster), ()):
            metric.remove(*labels)


class Metrics:
    """Of all clusters of a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.series = Series()
        """Of these metrics, and of others that are told by cluster."""

        def gauge(name: str, documentation: str, *labels: str) -> Gauge:
            return Gauge(name, documentation, [*_WHERE, *labels], registry=registry)

        self.workers = gauge(
            "argus_control_workers",
            "Workers of the budget by what they say of themselves.",
            "phase",
        )
        self.switching_since = gauge(
            "argus_control_switching_since_timestamp_seconds",
            "When the worker that has been switching longest began; 0 while none does.",
        )
        self.turned_at = gauge(
            "argus_control_turn_timestamp_seconds",
            "When the load was last looked at, and planned for if need be.",
        )
        self.interval = gauge(
            "argus_control_interval_seconds", "Between two looks at the load, where it is planned."
        )
        self.heard_at = gauge(
            "argus_control_report_timestamp_seconds",
            "When a router last told of its load; the loop's start before the first.",
        )
        self.plan = gauge("argus_control_plan_id", "Of the plan in force.")
        self.planned_at = gauge(
            "argus_control_plan_timestamp_seconds", "When the plan in force was made."
        )
        self.seconds = gauge(
            "argus_control_level_seconds",
            "Of one image of the default size: stated by the document; measured, where any was "
            "drawn; planned with.",
            "level",
            "gpu_type",
            "source",
        )
        self.assignments = Counter(
            "argus_control_assignments",
            "Times that a worker took to another loadout.",
            _WHERE,
            registry=registry,
        )

    def of(self, namespace: str, cluster: str) -> ClusterMetrics:
        """Of one cluster."""
        return ClusterMetrics(self, namespace, cluster)

    def forget(self, namespace: str, cluster: str) -> None:
        """A cluster is gone."""
        self.series.forget(namespace, cluster)


class ClusterMetrics:
    """Of one cluster; `clock` tells seconds since 1970."""

    def __init__(
        self,
        metrics: Metrics,
        namespace: str,
        cluster: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics, self._where, self._clock = metrics, (namespace, cluster), clock
        self._series = metrics.series
        self._switching: dict[str, float] = {}
        """Since when, by worker."""

    def begun(self, *, interval: float | None) -> None:
        """The loop begins, with so many seconds between its turns; None for one that has none."""
        self._series.of(self._metrics.assignments, *self._where)
        self.crew(())
        if interval is not None:
            self._series.of(self._metrics.interval, *self._where).set(interval)
            self.turned()
            self.heard()

    def crew(self, phases: Iterable[tuple[str, WorkerPhase | None]]) -> None:
        """Every worker's phase now; None for one that is lost."""
        phases = tuple(phases)
        counted = Count(LOST if phase is None else phase.value for _, phase in phases)
        for name in _PHASES:
            self._series.of(self._metrics.workers, *self._where, name).set(counted[name])
        now = self._clock()
        moving = [n for n, p in phases if p in (WorkerPhase.DRAINING, WorkerPhase.LOADING)]
        self._switching = {name: self._switching.get(name, now) for name in moving}
        since = min(self._switching.values(), default=0.0)
        self._series.of(self._metrics.switching_since, *self._where).set(since)

    def turned(self) -> None:
        """The load was looked at."""
        self._series.of(self._metrics.turned_at, *self._where).set(self._clock())

    def heard(self) -> None:
        """A router told of its load."""
        self._series.of(self._metrics.heard_at, *self._where).set(self._clock())

    def planned(self, plan: int, made_at: float) -> None:
        """Routers are told this plan."""
        self._series.of(self._metrics.plan, *self._where).set(plan)
        self._series.of(self._metrics.planned_at, *self._where).set(made_at)

    def took(self, beliefs: Iterable[Belief]) -> None:
        """What images take, and are planned with."""
        for one in beliefs:
            told = {"stated": one.stated, "measured": one.measured, "planned": one.planned}
            for source, value in told.items():
                if value is not None:
                    where = (*self._where, one.level, one.gpu_type, source)
                    self._series.of(self._metrics.seconds, *where).set(value)

    def assigned(self) -> None:
        """A worker took to another loadout."""
        self._series.of(self._metrics.assignments, *self._where).inc()
