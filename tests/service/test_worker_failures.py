"""What goes wrong inside the engine stays with the request it went wrong for."""

import asyncio

import grpc
import pytest
import torch

from argus_core.errors import Exhausted
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.errors import from_rpc
from argus_worker.families.shapes import ShapesFamily
from engine_support import TINY as VARIANT
from engine_support import ask, collect, gated, phase, running
from helpers import eventually

CURSE = "four large black triangles"


def cursed(failure, where):
    """A family that fails for one prompt, in the method named."""

    class Cursed(ShapesFamily):
        def encode(self, prompt, negative, **rest):
            conditioning = super().encode(prompt, negative, **rest)
            mark = torch.tensor([[prompt == CURSE]])
            if where == "encode" and prompt == CURSE:
                raise failure
            conditioning.positive["mark"] = mark
            if conditioning.negative is not None:
                conditioning.negative["mark"] = mark
            return conditioning

        def predict(self, latents, timesteps, rows):
            if where == "predict" and rows["mark"].any():
                raise failure
            return super().predict(latents, timesteps, rows)

        def decode(self, latent):
            if where == "decode":
                raise failure
            return super().decode(latent)

    return lambda _name: Cursed


async def fails(stream):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await collect(stream)
    return error.value


FAILURES = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("where", ["encode", "predict"])
@pytest.mark.parametrize("failure", FAILURES, ids=["cuda", "python", "cpu"])
async def test_running_out_of_memory_fails_that_request_alone(failure, where):
    find = cursed(failure, where)
    async with running(VARIANT, loadout=["tiny"], slots=3, find=find) as (_, stub, _channel):
        await phase(stub, "READY")
        good = [stub.Execute(ask(seed=seed, steps=8)) for seed in (1, 2)]
        bad = stub.Execute(ask(prompt=CURSE))
        results = await asyncio.gather(*map(collect, good), fails(bad))
        assert all(responses[-1].HasField("result") for responses in results[:2])
        assert isinstance(from_rpc(results[2]), Exhausted)
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_memory_that_runs_out_for_a_batch_but_not_for_its_parts_fails_nothing():
    class Narrow(ShapesFamily):
        refused = 0

        def predict(self, latents, timesteps, rows):
            if len(latents) > 2:
                Narrow.refused += 1
                raise torch.OutOfMemoryError("too many rows")
            return super().predict(latents, timesteps, rows)

    find, gate = gated(Narrow)
    async with running(VARIANT, loadout=["tiny"], slots=2, find=find) as (host, stub, _channel):
        await phase(stub, "READY")
        streams = [asyncio.ensure_future(collect(stub.Execute(ask(seed=s)))) for s in (1, 2)]
        await eventually(lambda: host.worker.state().in_flight == 2)
        gate.open()
        for responses in await asyncio.gather(*streams):
            assert responses[-1].HasField("result")
        assert Narrow.refused > 0


async def test_running_out_of_memory_when_decoding_fails_the_request():
    find = cursed(torch.OutOfMemoryError("no room for the picture"), "decode")
    async with running(VARIANT, loadout=["tiny"], find=find) as (host, stub, _channel):
        await phase(stub, "READY")
        assert isinstance(from_rpc(await fails(stub.Execute(ask()))), Exhausted)
        assert host.worker.state().in_flight == 0
        assert host.worker.state().phase == cluster_pb2.WORKER_PHASE_READY


async def test_an_unexpected_error_is_internal_and_tells_the_client_nothing(caplog):
    find = cursed(ValueError("a secret of the house"), "predict")
    async with running(VARIANT, loadout=["tiny"], find=find) as (_, stub, _channel):
        await phase(stub, "READY")
        error = await fails(stub.Execute(ask(prompt=CURSE)))
        assert error.code() == grpc.StatusCode.INTERNAL
        assert "secret" not in error.details()
        assert "a secret of the house" in caplog.text
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_a_broken_device_makes_the_worker_fail_and_say_so():
    find = cursed(torch.AcceleratorError("CUDA error: an illegal memory access"), "predict")
    async with running(VARIANT, loadout=["tiny"], find=find) as (_, stub, _channel):
        await phase(stub, "READY")
        await fails(stub.Execute(ask(prompt=CURSE)))
        state = await phase(stub, "FAILED")
        assert not state.health.ok
        assert "illegal memory access" in state.health.reason
        await stub.Assign(worker_pb2.AssignRequest(loadout=["tiny"]))
        assert "illegal memory access" in (await phase(stub, "FAILED")).reason
