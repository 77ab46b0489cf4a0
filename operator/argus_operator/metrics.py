"""The operator's metrics; every label is a cluster's, a pool's, a variant's, or of a fixed list."""

from __future__ import annotations

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from argus_control import metrics as control
from argus_core.planning.plan import Solver
from argus_operator.report import Sight

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SWITCH = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_STATES = ("ready", "switching", "starting", "pending", "failed", "terminating")


class Metrics:
    """One registry for a process."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        where = ["namespace", "cluster"]
        self.control = control.Metrics(own)
        """Of the control loops."""
        self._desired = Gauge(
            "argus_operator_desired_replicas",
            "Workers that shall hold a variant.",
            [*where, "variant"],
            registry=own,
        )
        self._current = Gauge(
            "argus_operator_current_replicas",
            "Workers that serve a variant.",
            [*where, "variant"],
            registry=own,
        )
        self._gpus = Gauge(
            "argus_operator_gpus",
            "Workers of a pool by what they do; `budget` is its size.",
            [*where, "pool", "state"],
            registry=own,
        )
        self.plans = Counter(
            "argus_operator_plans",
            "Plans by what became of them, and who made them.",
            ["result", "reason"],
            registry=own,
        )
        # What was never seen is 0: a rate of a series that begins with 1 misses its first event.
        for result, solver in product(("followed", "advised"), Solver):
            self.plans.labels(result, solver.value)
        self.switches = Histogram(
            "argus_operator_switch_duration_seconds",
            "How long workers took to switch.",
            ["phase"],
            buckets=_SWITCH,
            registry=own,
        )
        for phase in ("drain", "load"):
            self.switches.labels(phase)
        self.reconciles = Histogram(
            "argus_operator_reconcile_duration_seconds",
            "One look at a cluster, and what was done about it.",
            buckets=_SECONDS,
            registry=own,
        )
        self.failures = Counter(
            "argus_operator_reconcile_failures",
            "Looks that ended in an error and were tried again.",
            registry=own,
        )
        self.requests = Counter(
            "argus_operator_api_requests",
            "Requests to the API server.",
            ["method", "kind"],
            registry=own,
        )
        self.throttled = Counter(
            "argus_operator_api_throttled",
            "Requests that the API server put off (429).",
            ["kind"],
            registry=own,
        )
        self.clusters = Gauge(
            "argus_operator_clusters", "ArgusClusters that are kept.", registry=own
        )
        self.leader = Gauge(
            "argus_operator_leader", "1 while this process holds the lease.", registry=own
        )

    def see(self, sight: Sight) -> None:
        """Take down what was seen of a cluster."""
        where, of = (sight.namespace, sight.name), self.control.series.of
        for variant in sight.spec.variants:
            wanted = sum(variant.name in worker.wanted for worker in sight.workers)
            serving = sum(
                worker.phase == "ready" and variant.name in worker.holds for worker in sight.workers
            )
            of(self._desired, *where, variant.name).set(wanted)
            of(self._current, *where, variant.name).set(serving)
        for account in sight.accounts:
            of(self._gpus, *where, account.pool, "budget").set(account.wanted)
            for state in _STATES:
                of(self._gpus, *where, account.pool, state).set(getattr(account, state))

    def forget(self, namespace: str, name: str) -> None:
        """A cluster is gone."""
        self.control.forget(namespace, name)
