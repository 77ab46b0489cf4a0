"""Every metric that rules, cases and runbooks name is one that a process shows."""

import re
from pathlib import Path
from typing import ClassVar

from prometheus_client import CollectorRegistry

from alerts import burns, faults
from alerts.naming import METRIC, of_the_rules
from argus_alerts import groups
from argus_core.spec import Slo
from argus_operator.metrics import Metrics as OperatorMetrics
from argus_predictor.metrics import Metrics as PredictorMetrics
from argus_protos.v1 import cluster_pb2
from argus_router.metrics import Metrics as RouterMetrics
from argus_worker.metrics import Metrics as WorkerMetrics
from argus_worker.tally import Tally

ROOT = Path(__file__).parents[2]
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum", "")}


class Store:
    misses: ClassVar = {}


def shown(registry: CollectorRegistry) -> set[str]:
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in SUFFIXES.get(family.type, ("",))
    }


def metrics() -> set[str]:
    """Of the routers, predictors, workers and operators that there are."""
    state = cluster_pb2.WorkerState(phase=cluster_pb2.WORKER_PHASE_READY)
    registries = (
        RouterMetrics(Slo())._registry,
        PredictorMetrics().registry,
        WorkerMetrics(lambda: state, Tally(Store())).registry,
        OperatorMetrics().registry,
    )
    return set().union(*map(shown, registries))


def test_every_metric_of_the_rules_is_shown():
    assert len(of_the_rules()) > 15
    assert of_the_rules() - metrics() == set()


def test_every_metric_of_the_cases_is_one_of_the_rules():
    rules = groups.text()
    named = {
        name
        for case in (*burns.CASES, *faults.CASES)
        for series in case.series
        for name in METRIC.findall(series)
    }
    assert {name for name in named if name not in rules} == set()


def test_every_metric_of_the_runbooks_is_shown():
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "runbooks").glob("*.md"))
    named = set(METRIC.findall(pages))
    assert len(named) > 15
    assert named - metrics() == set()


def test_every_recorded_series_that_a_rule_reads_is_recorded():
    rules = [rule for group in groups.groups() for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    read = {name for rule in rules for name in re.findall(r"argus:[a-z_]+:\w+", rule["expr"])}
    assert read - recorded == set()
