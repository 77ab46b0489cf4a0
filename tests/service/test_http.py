"""The HTTP front, by OpenAI's own client and by hand."""

import asyncio
import base64

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from argus_core.errors import Exhausted, InvalidRequest, Unavailable
from argus_router.store import ImageStore
from helpers import Clock, eventually
from router_support import PNG, ScriptedWorker, cluster_of, staged


@pytest.fixture
async def served():
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker) as stage, client_of(stage) as client:
        yield stage, client, worker


def client_of(stage):
    return openai.AsyncOpenAI(base_url=f"{stage.http}/v1", api_key="any", max_retries=0)


async def test_openai_client_gets_an_image(served):
    _, client, worker = served
    response = await client.images.generate(prompt="a red circle")
    assert base64.b64decode(response.data[0].b64_json).startswith(PNG)
    assert (response.output_format, response.size) == ("png", "32x32")
    assert worker.calls[0].request.prompt == "a red circle"


async def test_openai_client_gets_several_by_url_and_fetches_them(served):
    stage, client, worker = served
    response = await client.images.generate(
        prompt="a red circle", n=3, response_format="url", model="quick", size="48x32"
    )
    seeds = sorted(call.request.seed for call in worker.calls)
    assert [call.request.variant for call in worker.calls] == ["tiny"] * 3
    assert (worker.calls[0].request.size.width, worker.calls[0].request.size.height) == (48, 32)
    for image, seed in zip(response.data, seeds, strict=True):
        async with stage.session.get(image.url) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
            assert await answer.read() == PNG + str(seed).encode()


@pytest.mark.parametrize("name", ["webp", "jpeg"])
async def test_output_format_reaches_the_worker_and_the_answer(served, name):
    stage, client, _ = served
    response = await client.images.generate(
        prompt="x", output_format=name, response_format="url", quality="high", user="someone"
    )
    async with stage.session.get(response.data[0].url) as answer:
        assert answer.content_type == f"image/{name}"


async def test_models_are_the_levels_and_auto(served):
    stage, client, _ = served
    names = [model.id async for model in client.models.list()]
    assert names == ["auto", "best", "good", "quick"]
    assert (await client.models.retrieve("best")).owned_by == "argus"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("none-such")
    async with stage.session.get("/v1/no-such-route") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("", "base URL must end in /v1"),
        ("/openai", "POST /v1/images/generations draws, and /openapi.json tells"),
    ],
)
async def test_a_base_url_that_leads_nowhere_is_told_what_it_lacks(served, base, said):
    stage, client, _ = served
    astray = client.with_options(base_url=stage.http + base)
    with pytest.raises(openai.NotFoundError, match=said):
        await astray.images.generate(prompt="a red circle")


async def test_what_argus_does_not_do_is_refused_with_what_to_do_instead(served):
    _, client, _ = served
    asked = {"seed": 7, "style": "vivid", "num_inference_steps": 4, "colour": "red"}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.images.generate(prompt="a red circle", extra_body=asked)
    said = refused.value.body["message"]
    assert "seed: is not supported; give it as argus.seed" in said
    assert "style: is not supported; say it in the prompt" in said
    assert "num_inference_steps: is not supported; name a level that has them, as model" in said
    assert said.endswith("colour: is not supported")
    with pytest.raises(openai.BadRequestError, match="there are best, good, quick; leave it out"):
        await client.images.generate(prompt="a red circle", model="dall-e-3")
    with pytest.raises(openai.APIStatusError, match="draws from prompts alone"):
        await client.images.edit(image=("a.png", PNG), prompt="a red circle")


async def test_image_that_is_gone_is_not_found(served):
    stage, _, _ = served
    async with stage.session.get("/v1/images/none-such") as answer:
        assert answer.status == 404


async def test_health_and_readiness(served):
    stage, _, _ = served
    for path in ("/healthz", "/readyz"):
        async with stage.session.get(path) as answer:
            assert answer.status == 200


async def test_router_is_not_ready_before_any_worker_has_served():
    async with staged() as stage:
        async with stage.session.get("/readyz") as answer:
            assert answer.status == 503
        async with stage.session.get("/healthz") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Exhausted("no memory", retry_after=2.5), 429, "3"),
        (Unavailable("lost", retry_after=None), 503, "1"),
        (InvalidRequest.one("size.width", "must be 32"), 400, None),
    ],
)
async def test_errors_have_openais_shape(error, status, retry_after):
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster_of(router={"maxAttempts": 1})) as stage:
        post = asyncio.create_task(
            stage.session.post("/v1/images/generations", json={"prompt": "x"})
        )
        await eventually(lambda: worker.calls)
        worker.calls[0].fail(error)
        answer = await post
        body = (await answer.json())["error"]
    assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
    assert set(body) == {"message", "type", "param", "code"}
    assert body["param"] == ("size" if status == 400 else None)


async def test_deadline_over_is_504():
    worker = ScriptedWorker("w0", "tiny")
    async with (
        staged(worker, cluster=cluster_of(slo={"deadlineSeconds": 0.3})) as stage,
        client_of(stage) as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.images.generate(prompt="x")
        assert caught.value.status_code == 504
        assert caught.value.code == "deadline_exceeded"


async def test_client_that_hangs_up_cancels_at_the_worker():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        post = asyncio.create_task(
            stage.session.post("/v1/images/generations", json={"prompt": "x"})
        )
        await eventually(lambda: worker.calls)
        post.cancel()
        await eventually(lambda: worker.calls[0].cancelled)


async def test_series_of_the_document_begin_with_0(served):
    stage, client, _ = served

    async def count(name, **labels):
        async with stage.session.get("/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
            return [
                s.value for f in families for s in f.samples if (s.name, s.labels) == (name, labels)
            ]

    drawn = {"variant": "large", "level": "best", "priority": "normal", "outcome": "ok"}
    assert await count("argus_router_requests_total", **drawn) == [0]
    assert await count("argus_router_requests_total", **drawn | {"outcome": "failed"}) == [0]
    assert await count("argus_router_tenant_images_total", tenant="other", outcome="ok") == [0]
    lasted = {"variant": "large", "level": "best"}
    assert await count("argus_router_request_duration_seconds_count", **lasted) == [0]
    await client.images.generate(prompt="x")
    assert await count("argus_router_requests_total", **drawn) == [1]


async def test_metrics_are_counted_with_bounded_labels(served):
    stage, client, _ = served
    await client.images.generate(prompt="x", n=2)
    with pytest.raises(openai.BadRequestError):
        await client.images.generate(prompt="x", n=11)
    async with stage.session.get("/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    samples = {(s.name, *sorted(s.labels.items())): s.value for f in families for s in f.samples}

    def requests(**labels):
        return samples["argus_router_requests_total", *sorted(labels.items())]

    assert requests(variant="large", level="best", priority="normal", outcome="ok") == 2
    assert requests(variant="none", level="none", priority="none", outcome="invalid") == 1
    assert samples["argus_router_workers", ("state", "ready")] == 1
    assert samples["argus_predictor_fallback_total", ("reason", "none")] == 1
    assert samples["argus_router_overhead_seconds_count",] == 2
    assert {
        "argus_router_request_duration_seconds",
        "argus_router_queue_duration_seconds",
        "argus_router_queue_size",
        "argus_predictor_duration_seconds",
        "argus_quality_score",
    } <= {family.name for family in families}


def test_store_forgets_the_oldest_when_it_is_full():
    store = ImageStore(clock=Clock(), max_images=2, max_bytes=10)
    first, second = store.put(b"1", "image/png"), store.put(b"2", "image/png")
    third = store.put(b"3", "image/png")
    assert store.get(first) is None
    assert store.get(second).data == b"2"
    fourth = store.put(b"123456789", "image/png")
    assert store.get(second) is None
    assert {store.get(third).data, store.get(fourth).data} == {b"3", b"123456789"}


def test_store_forgets_what_is_over():
    clock = Clock()
    store = ImageStore(clock=clock, seconds=5)
    name = store.put(b"1", "image/png")
    clock.now = 5.0
    assert store.get(name) is None
    assert len(store) == 0
