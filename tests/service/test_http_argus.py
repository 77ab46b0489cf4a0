"""Argus's own fields in OpenAI's API: `argus` in the body, and `argus` in the answer."""

import asyncio

import openai
import pytest

from argus_rpc.convert import seconds
from helpers import eventually
from router_support import ScriptedWorker, cluster_of, staged


@pytest.fixture
async def served():
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker) as stage, client_of(stage) as client:
        yield client, worker


def client_of(stage):
    return openai.AsyncOpenAI(base_url=f"{stage.http}/v1", api_key="any", max_retries=0)


async def test_own_fields_reach_the_worker(served):
    client, worker = served
    own = {"seed": 7, "negative_prompt": "a frame", "deadline_seconds": 15, "level": "good"}
    await client.images.generate(prompt="a red circle", n=2, extra_body={"argus": own})
    asked = sorted((call.request for call in worker.calls), key=lambda request: request.seed)
    assert [request.seed for request in asked] == [7, 8]
    assert {request.negative_prompt for request in asked} == {"a frame"}
    assert {(request.variant, request.schedule.steps) for request in asked} == {("large", 8)}
    assert all(0 < seconds(request.deadline) <= 15 for request in asked)


async def test_answer_tells_of_each_image_how_it_was_drawn(served):
    client, worker = served
    answer = await client.images.generate(
        prompt="a red circle", n=2, extra_body={"argus": {"seed": 7, "level": "quick"}}
    )
    told = answer.argus
    assert len(told["request_id"]) == 32
    assert [image["index"] for image in told["images"]] == [0, 1]
    assert [image["seed"] for image in told["images"]] == [7, 8]
    first = told["images"][0]
    assert (first["level"], first["variant"], first["worker"]) == ("quick", "tiny", "w0")
    assert first["predicted_quality"] == 0.6
    assert first["attempts"] == 1
    assert first["timing_seconds"]["total"] >= first["timing_seconds"]["queue"] >= 0
    assert "options" not in first


async def test_explained_answer_tells_every_level_weighed(served):
    client, _ = served
    answer = await client.images.generate(
        prompt="a red circle", extra_body={"argus": {"explain": True}}
    )
    (image,) = answer.argus["images"]
    assert [option["level"] for option in image["options"]] == ["best", "good", "quick"]
    rejected = {option["level"]: option["rejected"] for option in image["options"]}
    assert not rejected[image["level"]]
    assert all(why for level, why in rejected.items() if level != image["level"])


async def test_own_level_goes_before_the_model(served):
    client, _ = served
    for model, level, drawn in (
        ("best", "quick", "quick"),
        ("gpt-image-2", "good", "good"),
        ("quick", None, "quick"),
    ):
        answer = await client.images.generate(
            prompt="x", model=model, extra_body={"argus": {"level": level}}
        )
        assert answer.argus["images"][0]["level"] == drawn


async def test_level_below_the_minimum_quality_is_not_drawn():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with staged(worker, cluster=cluster_of()) as stage, client_of(stage) as client:
        plain = await client.images.generate(prompt="x")
        assert plain.argus["images"][0]["level"] == "quick"
        with pytest.raises(openai.APIStatusError):
            await client.images.generate(
                prompt="x", extra_body={"argus": {"minimum_quality": 0.8, "deadline_seconds": 0.5}}
            )


async def test_high_priority_goes_before_low():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage, client_of(stage) as client:
        drawn = [asyncio.create_task(client.images.generate(prompt="first"))]
        await eventually(lambda: worker.calls)
        for waiting, priority in enumerate(("low", "high"), start=1):
            own = {"argus": {"priority": priority}}
            drawn.append(
                asyncio.create_task(client.images.generate(prompt=priority, extra_body=own))
            )
            await eventually(lambda waiting=waiting: stage.waiting == waiting)
        for number in range(1, 4):
            await eventually(lambda number=number: len(worker.calls) == number)
            worker.calls[-1].finish()
        await asyncio.gather(*drawn)
    assert [call.request.prompt for call in worker.calls] == ["first", "high", "low"]
