"""Deadlines inside the engine: the urgent first, the hopeless stopped, a halt ends the process."""

import asyncio
import contextlib

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from argus_core.errors import DeadlineMissed, Unavailable
from argus_core.spec import Variant
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc
from argus_worker.host import HALTED, run
from engine_support import PATIENCE, TINY, ask, begun, collect, gated, now, phase, running
from helpers import eventually

OTHER = Variant(name="other", model="builtin:shapes-tiny", family="shapes", dtype="bfloat16")
"""Never in one forward with the first."""


async def fails(stream):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await collect(stream)
    return from_rpc(error.value)


def recording():
    """A gated family that tells whose forwards came, by dtype."""
    find, gate = gated()
    whose = []

    class Recording(find("shapes")):
        def predict(self, latents, timesteps, rows):
            whose.append(str(latents.dtype).removeprefix("torch."))
            return super().predict(latents, timesteps, rows)

    return (lambda _name: Recording), gate, whose


LONG = {"variant": "tiny", "guidance": 1.0, "steps": 1000}
SHORT = {"variant": "other", "guidance": 1.0, "steps": 2}


async def test_a_long_image_yields_to_a_short_urgent_one_between_steps():
    find, gate, whose = recording()
    # As the profile has it, the short one may spare 6 s, which the long one would take.
    settings = {"slots": 2, "step_seconds": {"other": 197.0}, "step_pixels": 48 * 48}
    async with running(TINY, OTHER, loadout=["tiny", "other"], find=find, **settings) as (
        _,
        stub,
        _,
    ):
        await phase(stub, "READY")
        long = await begun(stub.Execute(ask(**LONG, deadline=duration(3000))))
        await eventually(lambda: gate.waiting)
        clock = asyncio.get_running_loop().time
        began = clock()
        short = stub.Execute(ask(**SHORT, deadline=duration(400)))
        await begun_or_waiting(stub, 2)
        # The step under way is all that is known of the long one: a thousand like it take 100 s.
        await eventually(lambda: clock() - began >= 0.1)
        gate.let(3)
        assert (await collect(short))[-1].HasField("result")
        assert whose[:3] == ["float32", "bfloat16", "bfloat16"]
        long.cancel()
        gate.open()


async def test_an_image_under_way_is_ended_first_where_nobody_is_late_for_it():
    find, gate, whose = recording()
    settings = {"slots": 2, "step_seconds": {"tiny": 0.01, "other": 0.01}, "step_pixels": 48 * 48}
    async with running(TINY, OTHER, loadout=["tiny", "other"], find=find, **settings) as (
        _,
        stub,
        _,
    ):
        await phase(stub, "READY")
        first = await begun(stub.Execute(ask(**{**LONG, "steps": 3}, deadline=duration(60))))
        await eventually(lambda: gate.waiting)
        second = stub.Execute(ask(**SHORT, deadline=duration(50)))
        await begun_or_waiting(stub, 2)
        gate.open()
        assert (await collect(first))[-1].HasField("result")
        assert (await collect(second))[-1].HasField("result")
        assert whose == ["float32"] * 3 + ["bfloat16"] * 2


async def begun_or_waiting(stub, count):
    """Until so many images are with the engine, begun or in its inbox."""

    async def there():
        return (await now(stub)).in_flight == count

    await eventually(there)


async def test_a_hopeless_image_is_stopped_long_before_its_deadline_and_told_why():
    find, gate = gated()
    async with running(TINY, loadout=["tiny"], find=find) as (host, stub, _):
        await phase(stub, "READY")
        gate.open()
        await collect(stub.Execute(ask(steps=8)))
        least = host.engine._turns._steps.least(kind(host))
        assert least > 0
        before, clock = gate.passed, asyncio.get_running_loop().time
        began = clock()
        # A thousand steps that cannot be had in this time, however quick they are.
        patience = least * 800
        error = await fails(stub.Execute(ask(steps=1000, deadline=duration(patience))))
        assert isinstance(error, DeadlineMissed)
        assert "cannot be met: 1000 steps of" in str(error)
        assert gate.passed == before, "no step was taken in vain"
        assert clock() - began < patience + 5
        assert (await collect(stub.Execute(ask(steps=8))))[-1].HasField("result")


def kind(host):
    (known,) = host.engine._turns._steps._seen
    return known


async def test_a_halted_step_is_told_and_ends_the_process():
    find, gate = gated()
    status = []
    settings = {"step_seconds": {"tiny": 0.01}, "step_pixels": 48 * 48, "step_floor": 0.2}
    async with running(TINY, loadout=["tiny"], find=find, **settings) as (host, stub, channel):
        await phase(stub, "READY")
        ends = asyncio.ensure_future(run(host, asyncio.Event(), grace=5, leave=status.append))
        watch = asyncio.ensure_future(phase(stub, "FAILED"))
        # Its forward waits at the gate, as one would that the device never answers.
        error = await fails(stub.Execute(ask(steps=3)))
        assert isinstance(error, Unavailable)
        assert "a step has taken" in (await watch).reason
        await asyncio.wait_for(ends, PATIENCE)
        assert status == [HALTED]
        with contextlib.suppress(grpc.aio.AioRpcError):
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="argus.v1.WorkerService")
            )
            assert answer.status != health_pb2.HealthCheckResponse.SERVING
        gate.open()
