"""Series of tenants: of few from the start, of many from their first request."""

import pytest

from argus_router.load import Outcome
from argus_router.metrics import Metrics
from router_support import cluster_of


def metrics_of(tenants):
    return Metrics(cluster_of(tenants=[{"name": f"t{i}"} for i in range(tenants)]).spec)


def told(metrics):
    """By tenant and outcome: images counted."""
    return {
        (s.labels["tenant"], s.labels["outcome"]): s.value
        for family in metrics.registry.collect()
        if family.name == "argus_router_tenant_images"
        for s in family.samples
    }


@pytest.mark.parametrize(("tenants", "known"), [(0, 1), (100, 101), (101, 1), (1000, 1)])
def test_only_a_hundred_tenants_have_series_before_they_ask(tenants, known):
    assert len(told(metrics_of(tenants))) == known * len(Outcome)


def test_a_tenants_series_are_all_there_as_0_before_its_first_image_ends():
    metrics = metrics_of(101)
    metrics.came("t7")
    assert {(t, o): v for (t, o), v in told(metrics).items() if t != "other"} == {
        ("t7", outcome): 0 for outcome in Outcome
    }
    metrics.tenant("t7", Outcome.OK)
    metrics.came("t7")
    assert told(metrics)["t7", Outcome.OK] == 1
