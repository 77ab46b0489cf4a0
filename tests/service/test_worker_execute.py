"""Execute over real gRPC: images, progress, previews, captures, cancellation, deadlines."""

import asyncio
import gc
import io
import weakref

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from argus_core.errors import DeadlineMissed, InvalidRequest, NotHeld, Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc
from engine_support import TINY as VARIANT
from engine_support import ask, begun, collect, gated, now, phase, running
from helpers import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker():
    async with running(VARIANT, loadout=["tiny"], slots=2) as (host, stub, channel):
        await phase(stub, "READY")
        yield host, stub, channel


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refusal(stream):
    """The error that a stream ends with, as its sender raised it."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await collect(stream)
    return from_rpc(error.value)


def opened(image):
    picture = Image.open(io.BytesIO(image.data))
    assert picture.size == (image.size.width, image.size.height)
    return picture


async def test_an_image_is_started_stepped_and_drawn(worker):
    _, stub, _ = worker
    responses = await collect(stub.Execute(ask(steps=5)))
    kinds = [response.WhichOneof("event") for response in responses]
    assert kinds == ["started", *["progress"] * 5, "result"]
    assert [r.progress.step for r in responses[1:-1]] == [1, 2, 3, 4, 5]
    assert all(r.progress.steps == 5 and not r.progress.HasField("preview") for r in responses[1:6])
    result = responses[-1].result
    assert responses[0].started.worker == "w0"
    assert opened(result.image).format == "PNG"
    assert result.denoise.nanos > 0


async def test_the_same_seed_draws_the_same_image_and_another_does_not(worker):
    _, stub, _ = worker
    first, again, other = [
        (await collect(stub.Execute(ask(seed=seed))))[-1].result.image.data for seed in (7, 7, 8)
    ]
    assert first == again != other


async def test_images_over_one_stream_are_those_of_calls(worker):
    host, stub, _ = worker
    alone = (await collect(stub.Execute(ask(seed=7))))[-1].result.image.data
    stream = stub.ExecuteMany()
    asked = [ask(seed=7), ask(variant="other")]
    executions = [worker_pb2.Execution(id=n, request=one) for n, one in enumerate(asked)]
    await stream.write(worker_pb2.ExecuteManyRequest(executions=executions))
    events = []
    while not any(event.response.HasField("result") for event in events):
        events += (await stream.read()).events
    assert [e.response.result.image.data for e in events][-1] == alone
    assert [e.id for e in events if e.failure] == [1]
    # A worker that stops does not wait for streams on which nothing is under way.
    host._servicer.close()
    assert await stream.read() is grpc.aio.EOF


async def test_previews_come_with_every_nth_step_alone(worker):
    _, stub, _ = worker
    responses = await collect(stub.Execute(ask(steps=5, preview_every_steps=2)))
    shown = [r.progress.step for r in responses if r.progress.HasField("preview")]
    assert shown == [2, 4]
    assert opened(responses[2].progress.preview).size == (48, 48)


async def test_progress_comes_no_sooner_than_asked_but_for_previews(worker):
    _, stub, _ = worker
    asked = ask(steps=5, preview_every_steps=4, progress_interval=duration(60))
    responses = await collect(stub.Execute(asked))
    assert [r.WhichOneof("event") for r in responses] == ["progress", "result"]
    assert responses[0].progress.step == 4


@pytest.mark.parametrize("name", ["PNG", "WEBP", "JPEG"])
async def test_images_are_encoded_as_asked(worker, name):
    _, stub, _ = worker
    wanted = getattr(cluster_pb2, f"IMAGE_FORMAT_{name}")
    result = (await collect(stub.Execute(ask(steps=1, format=wanted))))[-1].result
    assert result.image.format == wanted
    assert opened(result.image).format == name


async def test_a_captured_latent_resumes_to_the_same_image(worker):
    _, stub, _ = worker
    whole = (await collect(stub.Execute(ask(steps=6, capture_steps=[2, 4]))))[-1].result
    assert [latent.step for latent in whole.captured] == [2, 4]
    for latent in whole.captured:
        request = ask(steps=6, skipped=latent.step, start=latent)
        responses = await collect(stub.Execute(request))
        steps = [r.progress.step for r in responses if r.HasField("progress")]
        assert steps == list(range(latent.step + 1, 7))
        assert responses[-1].result.image.data == whole.image.data


async def test_what_is_wrong_is_refused_by_name_over_the_wire(worker):
    _, stub, _ = worker
    error = await refusal(stub.Execute(ask(prompt="", steps=0)))
    assert isinstance(error, InvalidRequest)
    assert [v.field for v in error.violations] == ["prompt", "schedule.steps"]
    error = await refusal(stub.Execute(ask(variant="")))
    assert [v.field for v in error.violations] == ["variant"]


async def test_a_variant_that_is_not_held_is_told_from_a_busy_worker(worker):
    _, stub, _ = worker
    assert isinstance(await refusal(stub.Execute(ask(variant="other"))), NotHeld)


async def test_a_passed_deadline_is_missed_without_work(worker):
    _, stub, _ = worker
    error = await refusal(stub.Execute(ask(deadline=duration(-1.0))))
    assert isinstance(error, DeadlineMissed)


async def test_health_says_serving_while_ready(worker):
    _, _, channel = worker
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING

    async def answers():
        request = health_pb2.HealthCheckRequest(service="argus.v1.WorkerService")
        return (await health.Check(request)).status == serving

    await eventually(answers)


async def test_a_cancelled_stream_ends_work_at_the_next_step_and_leaves_nothing():
    find, gate = gated()
    async with running(VARIANT, loadout=["tiny"], slots=1, find=find) as (host, stub, _):
        await phase(stub, "READY")
        call = await begun(stub.Execute(ask(steps=500)))
        gate.let(3)
        # The engine stands in the fourth forward; the slot is not free before it comes out of it.
        await eventually(lambda: gate.passed == 3 and gate.waiting)
        sample = weakref.ref(host.engine._running[0].sample)
        call.cancel()
        assert (await now(stub)).in_flight == 1
        await eventually(lambda: host.engine._running[0].job.cancelled)
        gate.let(1)
        await eventually(lambda: not host.engine._running)
        gate.open()

        async def idle():
            return (await now(stub)).in_flight == 0

        await eventually(idle)
        assert gate.passed == 4

        def forgotten():
            gc.collect()
            return sample() is None

        # The engine's thread may be on its way out of the step that it was.
        await eventually(forgotten)
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_a_deadline_that_passes_ends_work_and_frees_the_slot():
    find, gate = gated()
    async with running(VARIANT, loadout=["tiny"], slots=1, find=find) as (host, stub, _):
        await phase(stub, "READY")
        error = await refusal(stub.Execute(ask(steps=500, deadline=duration(0.2))))
        assert isinstance(error, DeadlineMissed)
        gate.open()
        await eventually(lambda: not host.engine._running)
        assert gate.passed < 500
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")


async def test_a_full_worker_says_when_to_come_again_and_joins_those_it_takes():
    find, gate = gated()
    async with running(VARIANT, loadout=["tiny"], slots=2, find=find) as (_, stub, _channel):
        await phase(stub, "READY")
        first = await begun(stub.Execute(ask(seed=1, steps=6)))
        gate.let(2)
        await eventually(lambda: gate.passed == 2 and gate.waiting)
        second = asyncio.ensure_future(collect(stub.Execute(ask(seed=2, steps=3))))

        async def both():
            return (await now(stub)).in_flight == 2

        await eventually(both)
        error = await refusal(stub.Execute(ask(seed=3)))
        assert isinstance(error, Unavailable)
        assert 0 < error.retry_after < 1
        gate.open()
        drawn = {1: (await collect(first))[-1].result, 2: (await second)[-1].result}
        # Guided samples stand for two rows each: 4 rows show that both shared a forward.
        assert max(gate.rows) == 4
        for seed, steps in ((1, 6), (2, 3)):
            alone = (await collect(stub.Execute(ask(seed=seed, steps=steps))))[-1].result
            assert alike(alone.image, drawn[seed].image)


def alike(one, other):
    """At most one grey level apart."""
    pairs = zip(opened(one).tobytes(), opened(other).tobytes(), strict=True)
    return max(abs(a - b) for a, b in pairs) <= 1
