"""Load rises and falls: GPUs move between variants, within the budget, and no prompt is lost."""

import time

import pytest

from cluster.kubernetes import Kubernetes
from cluster.studio import PATIENCE, WORKERS, Budget, served, studio
from helpers import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


async def test_gpus_move_with_the_load_and_never_exceed_the_budget(
    installed: Kubernetes, record_property
):
    with (
        studio(installed, "moves") as cluster,
        Budget(cluster=installed, namespace=cluster.namespace) as budget,
    ):
        await cluster.becomes("Ready", "True")
        await eventually(lambda: len(cluster.pods()) == WORKERS, timeout=PATIENCE)
        await eventually(lambda: len(cluster.holding("first")) >= 1, timeout=PATIENCE)
        quiet = cluster.status()["plan"]["id"] if "plan" in cluster.status() else 0

        with cluster.load(rate=5.0, seconds=45.0) as traffic:
            began = time.monotonic()
            await eventually(
                lambda: cluster.status()["plan"]["id"] > quiet, timeout=PATIENCE, interval=0.2
            )
            record_property("seconds_to_plan", round(time.monotonic() - began, 1))
            await eventually(lambda: len(cluster.holding("second")) == WORKERS, timeout=PATIENCE)
            record_property("seconds_to_move", round(time.monotonic() - began, 1))
            seen = {v["name"]: v["ready"] for v in cluster.status()["variants"]}
            results = served(traffic)
        await eventually(lambda: len(cluster.holding("first")) >= 1, timeout=PATIENCE)
        events = installed.get("events", "-n", cluster.namespace)["items"]
    assert seen["second"] >= WORKERS - 1
    assert {result.level for result in results} == {"first-8", "second-8"}
    assert max(budget.samples) == WORKERS
    assert {"Planned", "Switched"} & {event["reason"] for event in events}
