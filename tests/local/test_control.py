"""A cluster of real processes that the plan moves: up and down with the load, and around losses."""

import os
import signal

import pytest

from argus_client import AsyncClient, Order
from argus_client.workers import assign_and_wait
from argus_control.mode import Mode
from argus_control.planning import Planning
from helpers import eventually
from local_support import cluster_document, drawing, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE = 180.0
"""Seconds for what takes a few when the machine has nothing else to do."""


def document():
    """Three workers, and levels that are said to take so long that any load is a burst."""
    ladder = [
        {"name": f"{v}-8", "variant": v, "steps": 8, "quality": q, "seconds": {"cpu": s}}
        for v, q, s in (("first", 1.0, 1.0), ("second", 0.6, 0.5))
    ]
    return cluster_document("control", workers=3, slo={"deadlineSeconds": 10}, ladder=ladder)


async def test_workers_move_with_the_load_and_losses_and_hands_are_respected(tmp_path):
    planning = Planning(mode=Mode.AUTOMATIC, interval=1.0, steady=4.0)
    async with (
        running_cluster(tmp_path, document(), planning=planning) as cluster,
        AsyncClient(cluster.router["grpc"]) as client,
    ):
        states, view = cluster.control.crew.states, cluster.supervisor.views["cpu-0"]

        def holds(variant):
            return {name for name, state in states.items() if list(state.loadout) == [variant]}

        async def planned(variant, workers):
            plan = (await client.describe()).plan
            counts = {tuple(a.loadout): a.workers for a in plan.allocations}
            return plan.forecast_rate and counts.get((variant,), 0) == workers

        await eventually(lambda: holds("first") == {"cpu-0", "cpu-2"}, timeout=PATIENCE)
        async with drawing(cluster.router["grpc"]):
            # All that come are more than even the cheaper variant carries: all shall hold it.
            await eventually(lambda: len(holds("second")) == 3, timeout=PATIENCE)
            await eventually(lambda: planned("second", 3), timeout=PATIENCE)

            # It was started with the other one, and comes back with the plan's.
            os.kill(view.pid, signal.SIGKILL)
            await eventually(lambda: view.restarts == 1 and "cpu-0" in holds("second"), PATIENCE)
            assert states["cpu-0"].generation == 1

            await assign_and_wait(cluster.addresses["cpu-1"], ["first"])
            await eventually(lambda: planned("first", 1), timeout=PATIENCE)
            assert cluster.control.crew.pinned == {"cpu-1"}
            await eventually(lambda: holds("first") == {"cpu-1"}, timeout=PATIENCE)

        # Without any load every variant keeps a worker, and the one assigned by hand is enough.
        await assign_and_wait(cluster.addresses["cpu-1"], ["second"])
        await eventually(lambda: planned("first", 1), timeout=PATIENCE)
        await eventually(
            lambda: len(holds("first")) == 1 and "cpu-1" in holds("second"), timeout=PATIENCE
        )
        # A level that nobody held a moment ago can be had.
        (image,) = await client.draw(
            Order(prompt="a small blue square", level="first-8", deadline=PATIENCE)
        )
        assert image.decision.level == "first-8"
