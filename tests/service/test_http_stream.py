"""Streams of OpenAI's images API: previews as they are drawn, then the images."""

import asyncio
import base64
import json

import openai
import pytest

from argus_core.errors import Exhausted, Unavailable
from argus_router.request import Request
from helpers import eventually
from router_support import PNG, ScriptedWorker, cluster_of, staged


def client_of(stage):
    return openai.AsyncOpenAI(base_url=f"{stage.http}/v1", api_key="any", max_retries=0)


@pytest.fixture
async def by_hand():
    """A worker that the test drives, at `good`: 8 steps."""
    worker = ScriptedWorker("w0", "large")
    async with staged(worker) as stage, client_of(stage) as client:
        yield stage, client, worker


async def begun(worker, number=1):
    await eventually(lambda: len(worker.calls) == number)
    return worker.calls[-1]


async def test_openai_client_gets_previews_and_then_the_image(by_hand):
    _, client, worker = by_hand
    stream = asyncio.create_task(
        client.images.generate(
            prompt="x", model="good", stream=True, partial_images=3, quality="high"
        )
    )
    call = await begun(worker)
    every = call.request.preview_every_steps
    events = None
    for number, step in enumerate(range(every, 8, every)):
        call.step(step, preview=True)
        events = events or await stream
        event = await anext(events)
        assert event.type == "image_generation.partial_image"
        assert (event.partial_image_index, event.quality) == (number, "high")
        assert (event.output_format, event.size, event.background) == ("png", "32x32", "opaque")
        assert base64.b64decode(event.b64_json).startswith(PNG)
    assert number == 2
    call.step(8, preview=True)
    call.finish()
    last = [event async for event in events]
    assert [event.type for event in last] == ["image_generation.completed"]
    assert base64.b64decode(last[0].b64_json).startswith(PNG)
    assert last[0].usage.total_tokens == 0
    assert last[0].argus["level"] == "good"
    assert len(last[0].argus["request_id"]) == 32


async def test_no_more_previews_come_than_were_asked_for(by_hand):
    _, client, worker = by_hand
    stream = asyncio.create_task(
        client.images.generate(prompt="x", model="good", stream=True, partial_images=1)
    )
    call = await begun(worker)
    call.step(4, preview=True)
    events = await stream
    assert (await anext(events)).type == "image_generation.partial_image"
    call.step(6, preview=True)
    call.finish()
    assert [event.type async for event in events] == ["image_generation.completed"]


async def test_stream_without_previews_is_the_image_alone(by_hand):
    _, client, worker = by_hand
    stream = asyncio.create_task(client.images.generate(prompt="x", stream=True))
    call = await begun(worker)
    assert call.request.preview_every_steps == 0
    call.step(1)
    call.finish()
    assert [event.type async for event in await stream] == ["image_generation.completed"]


async def test_images_of_a_stream_tell_which_they_are():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with staged(worker) as stage, client_of(stage) as client:
        events = [e async for e in await client.images.generate(prompt="x", n=3, stream=True)]
    assert sorted(event.argus["index"] for event in events) == [0, 1, 2]
    assert len({event.argus["request_id"] for event in events}) == 1


async def test_frames_are_named_as_openai_names_them():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    body = {"prompt": "x", "stream": True}
    async with (
        staged(worker) as stage,
        stage.session.post("/v1/images/generations", json=body) as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        (frame,) = (await answer.text()).strip().split("\n\n")
    name, data = frame.split("\n")
    assert name == "event: image_generation.completed"
    told = json.loads(data.removeprefix("data: "))
    assert told["type"] == "image_generation.completed"
    assert answer.headers["x-request-id"] == told["argus"]["request_id"]


async def test_what_fails_before_the_first_event_is_told_by_status():
    worker = ScriptedWorker("w0", "tiny")
    worker.refuse = lambda: Exhausted("no memory", retry_after=2.0)
    async with staged(worker, cluster=cluster_of(router={"maxAttempts": 1})) as stage:
        body = {"prompt": "x", "stream": True}
        async with stage.session.post("/v1/images/generations", json=body) as answer:
            assert answer.status == 429
            assert (await answer.json())["error"]["code"] == "resource_exhausted"


async def test_what_fails_later_is_told_by_an_event():
    worker = ScriptedWorker("w0", "large")
    async with (
        staged(worker, cluster=cluster_of(router={"maxAttempts": 1})) as stage,
        client_of(stage) as client,
    ):
        stream = asyncio.create_task(
            client.images.generate(prompt="x", stream=True, partial_images=1)
        )
        call = await begun(worker)
        call.step(1, preview=True)
        events = await stream
        await anext(events)
        call.fail(Unavailable("lost", retry_after=None))
        with pytest.raises(openai.APIError) as caught:
            await anext(events)
    assert caught.value.code == "unavailable"


async def test_client_that_closes_a_stream_cancels_at_the_worker(by_hand):
    stage, client, worker = by_hand
    stream = asyncio.create_task(client.images.generate(prompt="x", stream=True, partial_images=1))
    call = await begun(worker)
    call.step(1, preview=True)
    await (await stream).close()
    await eventually(lambda: call.cancelled)
    await eventually(lambda: stage.running == 0)


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 7, 8, 20, 50])
@pytest.mark.parametrize("previews", [1, 2, 3])
def test_previews_are_spread_over_the_steps(steps, previews):
    for skipped in (0, steps // 2):
        every = Request(prompt="x", previews=previews).preview_steps(steps, skipped)
        told = [step for step in range(skipped + 1, steps) if step % every == 0]
        assert len(told) >= min(previews, steps - skipped - 1)
        wider = [step for step in range(skipped + 1, steps) if step % (every + 1) == 0]
        assert every == 1 or len(wider) < previews or every + 1 > steps - skipped
