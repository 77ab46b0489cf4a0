"""A request's trace goes with it to whoever is asked on its behalf, and spans tell the way."""

import asyncio
import json

import aiohttp
import pytest

from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
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
    asked = by_name["/argus.v1.WorkerService/Execute"]
    assert served.parent_span_id.hex() == PARENT.split("-")[2]
    assert asked.parent_span_id == served.span_id
    attributes = {a.key: a.value.string_value for a in served.attributes}
    assert attributes["argus.level"] == "best"
    assert attributes["argus.plan"] == "7"
    assert attributes["argus.request_id"] == events[0].accepted.request_id
    bucket = "argus_router_request_duration_seconds_bucket{"
    lines = [line for line in exposed.splitlines() if line.startswith(bucket)]
    assert any(f'# {{trace_id="{TRACE}"}}' in line for line in lines)
    assert "trace_id" not in plain
    # The worker is told whose child it is.
    assert worker.came[0]["traceparent"] == f"00-{TRACE}-{asked.span_id.hex()}-01"


async def exposition(url, accept):
    async with (
        aiohttp.ClientSession(headers={"Accept": accept}) as session,
        session.get(f"{url}/metrics") as response,
    ):
        assert response.headers["Content-Type"].startswith(accept)
        return await response.text()


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
