"""Batches on a real worker of the small family: as many at once as the document says that gains."""

from contextlib import asynccontextmanager

import pytest

from argus_protos.v1 import images_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_router.router import Router
from argus_rpc import roster
from argus_rpc.channel import open_channel
from argus_worker.device import Device
from argus_worker.host import Host, Settings
from helpers import eventually
from router_support import cluster_of

LONG = 1000
"""Steps: some seconds, of which a test waits for none."""


def document(batches):
    level = {"name": "slow", "variant": "tiny", "steps": LONG, "quality": 1.0,
             "seconds": {"cpu": 5.0}, "batches": {"cpu": batches}}  # fmt: skip
    return cluster_of(
        pools=[{"name": "cpu", "workers": 1, "slots": 3}],
        variants=[{"name": "tiny", "model": "builtin:shapes-tiny", "family": "shapes"}],
        ladder=[level],
        defaultSize={"width": 48, "height": 48},
        slo={"deadlineSeconds": 600},
    )


@asynccontextmanager
async def served(cluster):
    """A router over one worker, which may draw more than one image from the first on."""
    variants = cluster.spec.variants
    host = Host(Settings(name="w0", pool="cpu", variants=variants, loadout=["tiny"], slots=3),
                device=Device("cpu", find=lambda _device: None))  # fmt: skip
    router = Router(cluster, workers=roster.fixed([f"127.0.0.1:{await host.start()}"]))
    try:
        address, _ = await router.start()
        async with open_channel(address) as channel:
            await eventually(lambda: router.service.ready, timeout=60)
            (worker,) = router.dispatcher.fleet
            worker.warming = False
            yield router, worker, ImageServiceStub(channel)
    finally:
        await router.stop(0)
        await host.stop(5.0)


@pytest.mark.parametrize(("batches", "at_once"), [((1.0, 1.2, 1.5), 3), ((1.0, 2.0, 3.0), 1)])
async def test_slots_are_filled_as_far_as_that_gains(batches, at_once):
    async with served(document(batches)) as (router, worker, images):
        calls = [images.Generate(images_pb2.GenerateRequest(prompt="a red circle"))
                 for _ in range(4)]  # fmt: skip

        def under_way():
            """All four are there, and those that are drawn get on, as they share each forward."""
            running = worker.running
            there = len(router.dispatcher.queues) + len(running) == 4
            return there and running and all(job.step for job in running)

        await eventually(under_way)
        assert len(worker.running) == at_once
        for call in calls:
            call.cancel()
        await eventually(lambda: not worker.running)
