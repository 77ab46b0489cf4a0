"""Assignments over real gRPC: drain, switch, fail, mend; nothing lost, nothing read twice."""

import asyncio
import shutil

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from argus_core.errors import InvalidRequest, NotHeld, Unavailable
from argus_core.spec import Variant
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.convert import seconds
from argus_rpc.errors import from_rpc
from argus_shapes import weights_path
from engine_support import PATIENCE, TINY, ask, begun, collect, gated, now, phase, running
from helpers import eventually

OTHER = Variant(name="other", model="builtin:shapes-tiny", family="shapes", dtype="bfloat16")
"""Of another dtype: what is alike would be shared, and not read again."""


@pytest.fixture
def silent(monkeypatch):
    """A worker that says nothing again for no reason, however long its changes take."""
    monkeypatch.setattr("argus_worker.worker.HEARTBEAT", 600.0)


def assign(*loadout):
    return worker_pb2.AssignRequest(loadout=loadout)


async def fails(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await awaitable
    return from_rpc(error.value)


async def is_serving(channel):
    request = health_pb2.HealthCheckRequest(service="argus.v1.WorkerService")
    answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    return answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_new_worker_waits_for_its_first_assignment():
    async with running(TINY) as (_, stub, channel):
        state = await now(stub)
        assert state.phase == cluster_pb2.WORKER_PHASE_STARTING
        assert (state.worker, state.pool, state.slots) == ("w0", "cpu", 1)
        assert state.health.ok
        assert state.memory.host_bytes > 0
        assert not await is_serving(channel)
        error = await fails(collect(stub.Execute(ask())))
        assert isinstance(error, Unavailable)
        assert error.retry_after > 0


@pytest.mark.usefixtures("silent")
async def test_assigning_tells_every_phase_and_ends_ready():
    async with running(TINY, OTHER, loadout=["tiny"]) as (_, stub, channel):
        await phase(stub, "READY")
        watch = stub.Watch(worker_pb2.WatchRequest(), timeout=PATIENCE)
        first = (await watch.read()).state
        assert list(first.loadout) == list(first.assigned) == ["tiny"]
        answer = await stub.Assign(assign("other", "tiny"))
        assert answer.generation == first.generation + 1
        states = [(await watch.read()).state for _ in range(3)]
        assert [state.phase for state in states] == [
            cluster_pb2.WORKER_PHASE_DRAINING,
            cluster_pb2.WORKER_PHASE_LOADING,
            cluster_pb2.WORKER_PHASE_READY,
        ]
        assert all(list(state.assigned) == ["other", "tiny"] for state in states)
        assert [list(state.loadout) for state in states] == [[], [], ["other", "tiny"]]
        switch = states[-1].last_switch
        assert list(getattr(switch, "from")) == ["tiny"]
        assert list(switch.to) == ["other", "tiny"]
        assert switch.disk_bytes > 0
        assert (switch.moved_bytes, switch.kept_bytes > 0) == (0, True), "a CPU copies nothing"
        assert seconds(switch.load) > 0
        for name in ("tiny", "other"):
            assert (await collect(stub.Execute(ask(variant=name))))[-1].HasField("result")
        await eventually(lambda: is_serving(channel))


async def test_what_is_likely_next_is_read_while_the_loadout_serves(tmp_path):
    folder = shutil.copytree(weights_path("shapes-tiny"), tmp_path / "model")
    copied = Variant(name="copied", model=str(folder), family="shapes")
    find, gate = gated()
    async with running(TINY, copied, loadout=["tiny"], find=find, host_bytes=2**30) as (
        host,
        stub,
        _,
    ):
        await phase(stub, "READY")
        call = await begun(stub.Execute(ask(steps=3)))
        # With the loadout that it holds, or with none: nothing else is changed.
        for loadout in ["tiny"], []:
            answer = await stub.Assign(
                worker_pb2.AssignRequest(loadout=loadout, prefetch=["copied", "unknown"])
            )
            assert answer.generation == 1
        await eventually(lambda: "copied" in host.masters.names)
        assert (await now(stub)).phase == cluster_pb2.WORKER_PHASE_READY, "it serves meanwhile"
        shutil.rmtree(folder)
        gate.open()
        assert (await collect(call))[-1].HasField("result")
        await stub.Assign(assign("copied"))
        state = await phase(stub, "READY")
        assert (list(state.loadout), state.last_switch.disk_bytes) == (["copied"], 0)
        assert (await collect(stub.Execute(ask(variant="copied"))))[-1].HasField("result")


async def test_assigning_what_is_held_changes_nothing():
    async with running(TINY, loadout=["tiny"]) as (_, stub, _channel):
        before = await phase(stub, "READY")
        answer = await stub.Assign(assign("tiny"))
        after = await now(stub)
        assert answer.generation == after.generation == before.generation
        assert after.phase == cluster_pb2.WORKER_PHASE_READY


@pytest.mark.parametrize(
    ("loadout", "field"),
    [
        ([], "loadout"),
        (["tiny", "nothing"], "loadout[1]"),
        ([""], "loadout[0]"),
        (["tiny", "tiny"], "loadout[1]"),
    ],
)
async def test_a_wrong_loadout_is_refused_by_name_and_changes_nothing(loadout, field):
    async with running(TINY) as (_, stub, _channel):
        error = await fails(stub.Assign(assign(*loadout)))
        assert isinstance(error, InvalidRequest)
        assert [v.field for v in error.violations] == [field]
        assert (await now(stub)).generation == 0


async def test_running_work_finishes_before_the_switch_and_new_work_is_refused():
    find, gate = gated()
    async with running(TINY, OTHER, loadout=["tiny"], find=find) as (_, stub, channel):
        await phase(stub, "READY")
        call = await begun(stub.Execute(ask(steps=3)))
        await stub.Assign(assign("other"))
        state = await now(stub)
        assert state.phase == cluster_pb2.WORKER_PHASE_DRAINING
        assert state.in_flight == 1

        async def stopped_serving():
            return not await is_serving(channel)

        await eventually(stopped_serving)
        assert isinstance(await fails(collect(stub.Execute(ask()))), Unavailable)
        gate.open()
        assert (await collect(call))[-1].HasField("result")
        assert list((await phase(stub, "READY")).loadout) == ["other"]


async def test_a_newer_assignment_overtakes_an_older_one():
    find, gate = gated()
    async with running(TINY, OTHER, loadout=["tiny"], find=find) as (_, stub, _channel):
        await phase(stub, "READY")
        call = await begun(stub.Execute(ask(steps=2)))
        await stub.Assign(assign("other"))
        latest = await stub.Assign(assign("tiny"))
        gate.open()
        await collect(call)
        state = await phase(stub, "READY")
        assert (list(state.loadout), state.generation) == (["tiny"], latest.generation)
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_going_back_to_a_variant_reads_nothing_from_disk(tmp_path):
    folder = shutil.copytree(weights_path("shapes-tiny"), tmp_path / "model")
    there = Variant(name="there", model=str(folder), family="shapes")
    async with running(TINY, there, loadout=["there"]) as (_, stub, _channel):
        first = await phase(stub, "READY")
        assert first.last_switch.disk_bytes > 0
        before = (await collect(stub.Execute(ask(variant="there"))))[-1].result.image.data
        await stub.Assign(assign("tiny"))
        await phase(stub, "READY")
        shutil.rmtree(folder)
        await stub.Assign(assign("there"))
        state = await phase(stub, "READY")
        assert state.last_switch.disk_bytes == 0
        again = (await collect(stub.Execute(ask(variant="there"))))[-1].result.image.data
        assert again == before


async def test_a_missing_model_makes_the_worker_fail_and_say_why_until_mended(tmp_path):
    bad = Variant(name="bad", model=str(tmp_path / "nowhere"), family="shapes")
    async with running(TINY, bad, loadout=["bad"]) as (_, stub, channel):
        state = await phase(stub, "FAILED")
        assert "bad" in state.reason
        assert "nowhere" in state.reason
        assert not state.loadout
        assert not await is_serving(channel)
        error = await fails(collect(stub.Execute(ask(variant="bad"))))
        assert isinstance(error, Unavailable)
        assert "nowhere" in str(error)
        await stub.Assign(assign("tiny"))
        assert (await phase(stub, "READY")).reason == ""
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_a_corrupt_variant_in_a_switch_fails_and_the_old_loadout_mends(tmp_path):
    folder = shutil.copytree(weights_path("shapes-tiny"), tmp_path / "model")
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    bad = Variant(name="bad", model=str(folder), family="shapes")
    async with running(TINY, bad, loadout=["tiny"]) as (_, stub, _channel):
        await phase(stub, "READY")
        await stub.Assign(assign("tiny", "bad"))
        assert "variant bad: " in (await phase(stub, "FAILED")).reason
        await stub.Assign(assign("tiny"))
        state = await phase(stub, "READY")
        assert list(state.loadout) == ["tiny"]


@pytest.mark.usefixtures("silent")
async def test_several_watchers_hear_the_same_changes():
    async with running(TINY) as (_, stub, _channel):
        watches = [stub.Watch(worker_pb2.WatchRequest(), timeout=PATIENCE) for _ in range(3)]
        for watch in watches:
            assert (await watch.read()).state.phase == cluster_pb2.WORKER_PHASE_STARTING
        await stub.Assign(assign("tiny"))
        heard = [[(await watch.read()).state.phase for _ in range(3)] for watch in watches]
        assert heard[0] == heard[1] == heard[2]
        assert heard[0][-1] == cluster_pb2.WORKER_PHASE_READY


async def test_watch_repeats_itself_when_nothing_changes(monkeypatch):
    monkeypatch.setattr("argus_worker.worker.HEARTBEAT", 0.05)
    async with running(TINY) as (_, stub, _channel):
        watch = stub.Watch(worker_pb2.WatchRequest(), timeout=PATIENCE)
        times = [(await watch.read()).state.reported_at.ToNanoseconds() for _ in range(3)]
        assert times == sorted(set(times))


async def test_switches_under_load_lose_no_request():
    """Clients that come again where the worker says so all get their images."""
    async with running(TINY, OTHER, loadout=["tiny"], slots=2) as (_, stub, _channel):
        await phase(stub, "READY")
        switching = True

        async def client(variant):
            drawn = 0
            while switching or not drawn:
                try:
                    responses = await collect(stub.Execute(ask(variant=variant, steps=2)))
                except grpc.aio.AioRpcError as error:
                    # Not now, or not this variant: anything else is a failure.
                    if not isinstance(from_rpc(error), (Unavailable, NotHeld)):
                        raise
                    await asyncio.sleep(0.001)
                else:
                    assert responses[-1].HasField("result")
                    drawn += 1
            return drawn

        clients = [asyncio.ensure_future(client(name)) for name in ("tiny", "other") * 2]
        for turn in range(12):
            await stub.Assign(assign(("other", "tiny")[turn % 2]))
            await phase(stub, "READY")
        await stub.Assign(assign("tiny", "other"))
        await phase(stub, "READY")
        switching = False
        assert all(drawn > 0 for drawn in await asyncio.gather(*clients))
        state = await now(stub)
        assert state.in_flight == 0
