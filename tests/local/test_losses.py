import asyncio
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from argus_cli.local.supervisor import ChildState
from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_client.workers import assign_and_wait
from argus_core.errors import Unavailable
from helpers import eventually
from local_support import START, cluster_document, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
SWITCHES = Path(__file__).parents[2] / "bench" / "switches.py"


async def test_request_outlives_the_worker_that_was_killed_drawing_it(tmp_path):
    steps, deadline = 400, 120.0
    document = cluster_document("losses", workers=1, steps=steps)
    async with running_cluster(tmp_path, document) as cluster:
        begun = asyncio.Event()
        view = cluster.supervisor.views["cpu-0"]
        victim, sent = view.pid, time.monotonic()

        async with AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1)) as client:
            order = Order(prompt="a large red circle", seed=1, deadline=deadline)
            drawing = asyncio.create_task(client.draw(order, on_progress=lambda _: begun.set()))
            await asyncio.wait_for(begun.wait(), 60)
            os.kill(victim, signal.SIGKILL)
            try:
                (image,) = await drawing
            except Unavailable:
                pass  # the other answer that is allowed
            else:
                assert image.attempts == 2
                assert image.image().size == (48, 48)
            assert time.monotonic() - sent < deadline
        await eventually(lambda: view.restarts == 1 and view.state == ChildState.UP, timeout=START)
        assert view.pid != victim


async def test_killed_worker_comes_back_with_what_it_was_assigned(tmp_path):
    async with running_cluster(tmp_path, cluster_document("assigned")) as cluster:
        await assign_and_wait(cluster.addresses["cpu-0"], ["second"])
        await eventually(lambda: cluster.workers["cpu-0"] == ("second",), timeout=START)
        view = cluster.supervisor.views["cpu-0"]
        os.kill(view.pid, signal.SIGKILL)
        await eventually(lambda: view.restarts == 1 and view.state == ChildState.UP, timeout=START)
        async with AsyncClient(cluster.router["grpc"]) as client:

            async def described():
                told = await client.describe()
                held = {w.worker: list(w.loadout) for w in told.workers}
                planned = [(list(a.loadout), a.workers) for a in told.plan.allocations]
                return held.get("cpu-0") == ["second"] and planned == [(["second"], 2)]

            await eventually(described, timeout=START)


async def test_killed_router_comes_back_at_its_address_with_its_plan(tmp_path):
    async with running_cluster(tmp_path, cluster_document("router", workers=1)) as cluster:
        address, view = cluster.router["grpc"], cluster.supervisor.views["router"]
        os.kill(view.pid, signal.SIGKILL)
        await eventually(lambda: view.restarts == 1 and view.state == ChildState.UP, timeout=START)
        assert cluster.router["grpc"] == address
        async with AsyncClient(address) as client:

            async def planned():
                return (await client.describe()).plan.id

            await eventually(planned, timeout=START)
            assert await client.draw(Order(prompt="a large red circle", deadline=60))


async def test_switches_under_load_lose_no_request_and_no_memory(tmp_path):
    spec = importlib.util.spec_from_file_location("switches", SWITCHES)
    switches = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = switches  # dataclasses look there for their module
    spec.loader.exec_module(switches)
    async with running_cluster(tmp_path, cluster_document("switches")) as cluster:
        figures = await switches.switch_under_load(cluster, switches=20, clients=4)
    assert figures.switches == 20
    assert figures.completed > 0
    # A request that the router lost would look like one that missed its deadline, which is
    # some hundred times what a picture takes: none may.
    assert figures.failures == {}, figures.messages
    assert (figures.lost, figures.restarts) == (0, 0)
    assert figures.growth < 0.05
