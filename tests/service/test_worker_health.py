"""A worker whose device is unwell draws no more, says why, and goes on once it is well."""

from dataclasses import replace

import grpc
import pytest
from prometheus_client import generate_latest

from argus_core.device_health import Reading
from argus_core.errors import Unavailable
from argus_protos.v1 import cluster_pb2
from argus_rpc.errors import from_rpc
from engine_support import TINY, ask, begun, collect, gated, phase, running

WELL = Reading(memory_bytes=2**30, temperature=55.0)


class Driver:
    """A device's driver that tells what the test wants."""

    def __init__(self):
        self.reading = WELL

    def read(self):
        return self.reading


async def test_memory_held_by_others_drains_a_worker_until_they_let_go():
    gpu = Driver()
    find, gate = gated()
    async with running(TINY, loadout=["tiny"], find=find, gpu=gpu, watch=0.02) as (host, stub, _):
        state = await phase(stub, "READY")
        assert state.health.ok
        call = await begun(stub.Execute(ask(steps=2)))
        gpu.reading = replace(WELL, foreign_bytes=2**29)
        state = await phase(stub, "FAILED")
        assert state.reason == state.health.reason == "others hold 0.5 GiB of the device's memory"
        assert (state.health.ok, state.health.cause) == (False, "foreign")
        told = generate_latest(host.metrics.registry).decode()
        assert 'argus_worker_unhealthy_cause{cause="foreign"} 1.0' in told
        assert 'argus_worker_unhealthy_cause{cause="lost"} 0.0' in told
        assert "argus_worker_temperature_celsius 55.0" in told
        assert state.health.temperature_celsius == 55.0
        gate.open()
        assert (await collect(call))[-1].HasField("result"), "what runs is finished"
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await collect(stub.Execute(ask()))
        assert isinstance(from_rpc(error.value), Unavailable)
        gpu.reading = WELL
        state = await phase(stub, "READY")
        assert list(state.loadout) == ["tiny"]
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_a_lost_device_stays_lost():
    gpu = Driver()
    async with running(TINY, loadout=["tiny"], gpu=gpu, watch=0.02) as (host, stub, _):
        await phase(stub, "READY")
        gpu.reading = Reading(lost="GPU is lost")
        state = await phase(stub, "FAILED")
        assert state.reason == "the device is lost: GPU is lost"
        gpu.reading = WELL
        host.worker.assign(["tiny"])
        state = await phase(stub, "FAILED")
        assert state.generation == 2
        assert state.phase == cluster_pb2.WORKER_PHASE_FAILED
