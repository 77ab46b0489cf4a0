"""A request's trace goes with it to whoever is asked on its behalf, and spans tell the way."""

import asyncio
import json

import aiohttp
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from argus_client import AsyncClient, Order
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_rpc import tracing
from argus_rpc.channel import open_channel
from helpers import eventually
from router_support import (
    LONG,
    ScriptedPredictor,
    ScriptedWorker,
    cluster_of,
    collect,
    predicting,
    staged,
)
from support.collector import collecting
from support.process import process

pytestmark = pytest.mark.usefixtures("patient")

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Noting:
    """Notes the metadata of the calls that come to a scripted service."""

    def __init__(self) -> None:
        self.came: list[dict[str, str]] = []

    def note(self, context) -> None:
        self.came.append(dict(context.invocation_metadata()))


class Worker(ScriptedWorker, Noting):
    def __init__(self, *names):
        ScriptedWorker.__init__(self, *names)
        Noting.__init__(self)
        self.automatic = True

    async def Execute(self, request, context):
        self.note(context)
        async for event in super().Execute(request, context):
            yield event


class Predictor(ScriptedPredictor, Noting):
    def __init__(self, **qualities):
        ScriptedPredictor.__init__(self, **qualities)
        Noting.__init__(self)

    async def Predict(self, request, context):
        self.note(context)
        return await super().Predict(request, context)


async def test_a_callers_trace_reaches_the_predictor_and_the_worker():
    worker, predictor = Worker("w0", "large"), Predictor(best=1.0, good=0.9, quick=0.5)
    async with predicting(predictor) as address, staged(worker, predictor=address) as stage:
        call = stage.images.Generate(
            images_pb2.GenerateRequest(prompt="x"),
            metadata=(("traceparent", PARENT), ("tracestate", "a=b"), ("other", "stays here")),
        )
        await collect(call)
        await collect(stage.draw())
        for came in (worker.came, predictor.came):
            assert came[0]["traceparent"] == PARENT
            assert came[0]["tracestate"] == "a=b"
            assert "other" not in came[0]
            # The next request has none, and gets none of this one's.
            assert "traceparent" not in came[1]


async def test_a_trace_waits_with_its_request_for_a_worker():
    worker = Worker("w0", "large")
    worker.automatic = False
    cluster = cluster_of(seconds=LONG, slo={"deadlineSeconds": 600})
    async with staged(worker, cluster=cluster) as stage:
        first = stage.draw(timeout=600)
        await eventually(lambda: worker.calls)
        second = stage.images.Generate(
            images_pb2.GenerateRequest(prompt="x"), metadata=(("traceparent", PARENT),)
        )
        await eventually(lambda: stage.waiting)
        worker.calls[0].finish()
        await eventually(lambda: len(worker.calls) > 1)
        worker.calls[1].finish()
        await collect(first)
        await collect(second)
    assert [came.get("traceparent") for came in worker.came] == [None, PARENT]


@pytest.fixture
async def collector(monkeypatch):
    """One on loopback, that the processes of the test are told of."""
    async with collecting() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


async def test_spans_of_a_router_hang_below_the_callers_and_above_the_workers(collector, tmp_path):
    worker, file = Worker("w0", "large"), tmp_path / "cluster.yaml"
    await worker.start()
    file.write_text(cluster_of().model_dump_json(by_alias=True, exclude_none=True))
    arguments = ("argus_router", "--cluster", file, "--worker", worker.address)
    addresses = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    try:
        async with process(*arguments, *addresses) as (_, told), open_channel(told["grpc"]) as chan:
            await ControlServiceStub(chan).ApplyPlan(
                control_pb2.ApplyPlanRequest(plan=cluster_pb2.Plan(id=7))
            )
            call = ImageServiceStub(chan).Generate(
                images_pb2.GenerateRequest(prompt="x"),
                metadata=(("traceparent", PARENT),),
                timeout=30,
                wait_for_ready=True,
            )
            events = await collect(call)
            assert events[-1].HasField("result")
            await eventually(lambda: len(collector.spans.get("argus-router", [])) >= 2)
            exposed = await exposition(told["http"], "application/openmetrics-text")
            plain = await exposition(told["http"], "text/plain")
    finally:
        await worker.die()
    ours = [span for span in collector.spans["argus-router"] if span.trace_id.hex() == TRACE]
    by_name = {span.name: span for span in ours}
    served = by_name["/argus.v1.ImageService/Generate"]
    asked, tried = by_name["/argus.v1.WorkerService/Execute"], by_name["attempt"]
    assert served.parent_span_id.hex() == PARENT.split("-")[2]
    assert asked.parent_span_id == tried.span_id
    assert tried.parent_span_id == by_name["queue"].parent_span_id == served.span_id
    assert named(tried)["argus.worker"] == "w0"
    attributes = named(served)
    assert attributes["argus.level"] == "best"
    assert attributes["argus.plan"] == "7"
    assert attributes["argus.request_id"] == events[0].accepted.request_id
    bucket = "argus_router_request_duration_seconds_bucket{"
    lines = [line for line in exposed.splitlines() if line.startswith(bucket)]
    assert any(f'# {{trace_id="{TRACE}"}}' in line for line in lines)
    assert "trace_id" not in plain
    # The worker is told whose child it is.
    assert worker.came[0]["traceparent"] == f"00-{TRACE}-{asked.span_id.hex()}-01"


def named(span):
    """A span's attributes, those that are texts."""
    return {a.key: a.value.string_value for a in span.attributes}


async def exposition(url, accept):
    async with (
        aiohttp.ClientSession(headers={"Accept": accept}) as session,
        session.get(f"{url}/metrics") as response,
    ):
        assert response.headers["Content-Type"].startswith(accept)
        return await response.text()


async def test_http_carries_a_callers_trace_on_also_where_no_spans_are_made():
    worker = Worker("w0", "large")
    async with staged(worker) as stage:
        for headers in ({"Traceparent": PARENT}, {}):
            body = {"model": "auto", "prompt": "x", "response_format": "b64_json"}
            post = stage.session.post("/v1/images/generations", json=body, headers=headers)
            async with post as response:
                assert response.status == 200
    assert [came.get("traceparent") for came in worker.came] == [PARENT, None]


@pytest.mark.timeout(300)
async def test_spans_lead_from_the_client_over_both_fronts_to_the_worker_and_its_store(
    collector, monkeypatch, tmp_path
):
    """Real processes: a client of ours, a router, a worker of the small family with a store."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept := InMemorySpanExporter()))
    monkeypatch.setattr(tracing._spans, "tracer", provider.get_tracer("test"))
    file = tmp_path / "cluster.yaml"
    store = {"url": f"directory:{tmp_path / 'latents'}"}
    size = {"width": 48, "height": 48}
    document = cluster_of(store=store, defaultSize=size).model_dump_json(
        by_alias=True, exclude_none=True
    )
    file.write_text(document)
    where = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    begun = ("argus_worker", "--cluster", file, "--name", "cpu-0", "--pool", "cpu",
             "--address", "127.0.0.1:0", "--loadout", "tiny")  # fmt: skip
    async with (
        process(*begun) as (_, worker),
        process("argus_router", "--cluster", file, "--worker", worker["address"], *where) as (
            _,
            told,
        ),
        AsyncClient(told["grpc"]) as client,
        aiohttp.ClientSession(told["http"]) as session,
    ):
        await eventually(lambda: ready(session), timeout=90)
        (picture,) = await client.draw(Order(prompt="a red circle", deadline=60))
        body = {"model": "auto", "prompt": "a red circle", "response_format": "b64_json"}
        headers = {"traceparent": PARENT}
        async with session.post("/v1/images/generations", json=body, headers=headers) as response:
            assert response.status == 200
        await eventually(lambda: len(collector.spans.get("argus-worker", [])) >= 10, timeout=30)
        await eventually(lambda: len(collector.spans.get("argus-router", [])) >= 8, timeout=30)
    (calling,) = kept.get_finished_spans()
    assert calling.attributes["argus.level"] == picture.level == "quick"
    ours, theirs = format(calling.context.trace_id, "032x"), TRACE
    for trace, served in (
        (ours, "/argus.v1.ImageService/Generate"),
        (theirs, "POST /v1/images/generations"),
    ):
        by_name = {
            (who, span.name): span
            for who in ("argus-router", "argus-worker")
            for span in collector.spans[who]
            if span.trace_id.hex() == trace
        }
        front = by_name["argus-router", served]
        assert named(front)["argus.level"] == "quick"
        attempt = by_name["argus-router", "attempt"]
        assert attempt.parent_span_id == front.span_id
        execute = by_name["argus-worker", "/argus.v1.WorkerService/Execute"]
        assert len([event for event in execute.events if event.name == "step"]) == 4
        for stage in ("queue", "encode", "denoise", "decode"):
            assert by_name["argus-worker", stage].parent_span_id == execute.span_id
    assert front.parent_span_id.hex() == PARENT.split("-")[2]


async def ready(session):
    async with session.get("/readyz") as response:
        return response.status == 200


async def test_log_lines_about_a_request_name_it_in_json_too(monkeypatch, tmp_path):
    monkeypatch.setenv("ARGUS_LOG_FORMAT", "json")
    worker, file = Worker("w0", "large"), tmp_path / "cluster.yaml"
    await worker.start()
    file.write_text(cluster_of().model_dump_json(by_alias=True, exclude_none=True))
    said = tmp_path / "log"
    arguments = ("argus_router", "--cluster", file, "--worker", worker.address)
    addresses = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    with said.open("wb") as log:
        async with (
            process(*arguments, *addresses, stderr=log) as (_, told),
            open_channel(told["grpc"]) as chan,
        ):
            worker.automatic = False
            call = ImageServiceStub(chan).Generate(
                images_pb2.GenerateRequest(prompt="secret words"), timeout=30, wait_for_ready=True
            )
            accepted = await call.read()
            await eventually(lambda: worker.calls)
            await worker.die()
            await asyncio.sleep(0)
            await eventually(lambda: b"lost" in said.read_bytes())
            call.cancel()
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    about = [line for line in lines if line.get("request_id") == accepted.accepted.request_id]
    assert about
    assert all({"level", "logger", "message", "time"} <= set(line) for line in about)
    assert "secret words" not in said.read_text()
