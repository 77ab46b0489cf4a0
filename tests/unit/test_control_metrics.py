"""What a control loop tells of itself."""

import pytest
from prometheus_client import CollectorRegistry

from argus_control.metrics import ClusterMetrics, Metrics
from argus_core.states import WorkerPhase

WHERE = {"namespace": "studio", "cluster": "prints"}


class Watched:
    """A cluster's metrics, by a clock that the test sets."""

    def __init__(self):
        self.registry, self.now = CollectorRegistry(), 1000.0
        self.all = Metrics(self.registry)
        self.one = ClusterMetrics(self.all, *WHERE.values(), clock=lambda: self.now)

    def told(self, name, **labels):
        return self.registry.get_sample_value(f"argus_control_{name}", {**WHERE, **labels})


@pytest.fixture
def watched():
    return Watched()


def test_worker_that_is_not_heard_is_lost_and_every_phase_is_told(watched):
    watched.one.crew([("a", WorkerPhase.READY), ("b", None), ("c", None)])
    told = {phase: watched.told("workers", phase=phase) for phase in (*WorkerPhase, "lost")}
    assert {phase: count for phase, count in told.items() if count} == {"ready": 1, "lost": 2}
    assert None not in told.values()


def test_switch_is_told_from_its_beginning_whatever_phases_it_goes_through(watched):
    watched.one.crew([("a", WorkerPhase.DRAINING), ("b", WorkerPhase.READY)])
    watched.now += 10
    watched.one.crew([("a", WorkerPhase.LOADING), ("b", WorkerPhase.DRAINING)])
    assert watched.told("switching_since_timestamp_seconds") == 1000
    watched.one.crew([("a", WorkerPhase.READY), ("b", WorkerPhase.DRAINING)])
    assert watched.told("switching_since_timestamp_seconds") == 1010
    watched.one.crew([("a", WorkerPhase.READY), ("b", WorkerPhase.READY)])
    assert watched.told("switching_since_timestamp_seconds") == 0


def test_loop_that_does_not_plan_tells_of_no_turns(watched):
    watched.one.begun(interval=None)
    assert watched.told("turn_timestamp_seconds") is None
    assert watched.told("report_timestamp_seconds") is None
    assert watched.told("assignments_total") == 0


def test_to_forget_a_cluster_leaves_the_others(watched):
    other = watched.all.of("here", "other")
    for one in (watched.one, other):
        one.planned(7, 999.0)
    watched.all.forget(*WHERE.values())
    assert watched.told("plan_id") is None
    assert watched.registry.get_sample_value(
        "argus_control_plan_id", {"namespace": "here", "cluster": "other"}
    )


def test_cluster_that_is_gone_is_told_of_no_more(watched):
    watched.one.begun(interval=10.0)
    watched.one.planned(7, 999.0)
    assert watched.told("plan_id") == 7
    watched.all.forget(*WHERE.values())
    assert list(watched.registry.collect())  # The metrics are there,
    assert not [s for family in watched.registry.collect() for s in family.samples]  # and empty.
