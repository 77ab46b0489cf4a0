"""The predictor of priors, and the router's use of a predictor that fails in every way."""

import asyncio
import logging
import time

import grpc
import pytest

from argus_core.errors import InvalidRequest, NotBuilt, Unavailable
from argus_predictor.host import Host
from argus_protos.v1 import predictor_pb2
from argus_protos.v1.predictor_pb2_grpc import (
    PredictorServiceServicer,
    PredictorServiceStub,
    add_PredictorServiceServicer_to_server,
)
from argus_router import predict
from argus_router.predict import Predictor
from argus_rpc.channel import open_channel
from argus_rpc.errors import from_rpc
from argus_rpc.server import Server
from router_support import ScriptedWorker, cluster_of, collect, staged

pytestmark = pytest.mark.usefixtures("patient")

PRIORS = {"best": 1.0, "good": 0.9, "quick": 0.6}


@pytest.fixture
async def stub():
    host = Host(cluster_of(), address="127.0.0.1:0")
    async with open_channel(f"127.0.0.1:{await host.start()}") as channel:
        yield PredictorServiceStub(channel)
    await host.stop(0)


async def test_every_level_gets_its_prior_in_the_ladders_order(stub):
    response = await stub.Predict(predictor_pb2.PredictRequest(prompt="x"))
    assert [(q.level, q.quality) for q in response.qualities] == list(PRIORS.items())
    assert {q.basis for q in response.qualities} == {predictor_pb2.QUALITY_BASIS_PRIOR}
    assert all(0 <= q.deviation <= 0.5 for q in response.qualities)
    assert response.qualities[2].deviation > response.qualities[0].deviation
    assert response.model_version == "prior"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 8193}, "prompt"),
    ],
)
async def test_wrong_fields_are_named(stub, fields, named):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Predict(predictor_pb2.PredictRequest(**fields))
    error = from_rpc(caught.value)
    assert isinstance(error, InvalidRequest)
    assert error.violations[0].field == named


async def test_entries_and_heads_are_unimplemented(stub):
    for call in (
        stub.AddLabels(predictor_pb2.AddLabelsRequest()),
        stub.Reload(predictor_pb2.ReloadRequest()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert isinstance(from_rpc(caught.value), NotBuilt)


async def test_several_prompts_are_answered_each_for_itself(stub):
    prompts = ["x", "", *(f"number {n}" for n in range(20))]
    asked = [predictor_pb2.PredictRequest(prompt=prompt) for prompt in prompts]
    told = await stub.PredictMany(predictor_pb2.PredictManyRequest(requests=asked))
    assert [answer.refused for answer in told.answers] == ["", "INVALID_ARGUMENT", *[""] * 20]
    alone = await stub.Predict(asked[0])
    assert all(a.response == alone for a in told.answers if not a.refused)


@pytest.mark.parametrize("count", [0, 65])
async def test_too_many_prompts_at_once_are_refused(stub, count):
    asked = [predictor_pb2.PredictRequest(prompt="x")] * count
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PredictMany(predictor_pb2.PredictManyRequest(requests=asked))
    assert from_rpc(caught.value).violations[0].field == "requests"


class Scripted(PredictorServiceServicer):
    """A predictor whose answers and faults the test decides."""

    def __init__(self):
        self.answer = {"best": 0.1, "good": 0.2, "quick": 0.3}
        self.error = None
        self.hang = None
        self.asked = 0
        self.left = []
        """Seconds that each call left for the answer."""

    async def Predict(self, request, context):
        self.asked += 1
        self.left.append(context.time_remaining())
        if self.hang is not None:
            await self.hang.wait()
        if self.error is not None:
            raise self.error
        qualities = [
            predictor_pb2.LevelQuality(level=level, quality=quality)
            for level, quality in self.answer.items()
        ]
        return predictor_pb2.PredictResponse(qualities=qualities)


@pytest.fixture
async def scripted():
    servicer = Scripted()
    server = Server(
        address="127.0.0.1:0",
        servicers=[(add_PredictorServiceServicer_to_server, servicer)],
        services=["argus.v1.PredictorService"],
    )
    servicer.address = f"127.0.0.1:{await server.start()}"
    yield servicer
    if servicer.hang is not None:
        servicer.hang.set()
    await server.stop(0)


class Clock:
    """Real time, and what the test adds."""

    def __init__(self):
        self.added = 0.0

    def __call__(self):
        return time.monotonic() + self.added


@pytest.fixture
async def predictor(scripted):
    clock = Clock()
    client = Predictor(cluster_of().spec, scripted.address, clock=clock)
    client.start()
    # Connected first: what is measured below is the predictor, not the connection.
    await asyncio.wait_for(client._opened.channel.channel_ready(), 30)
    client.clock = clock
    yield client
    await client.close()


async def test_prediction_is_used_for_the_prompt(scripted):
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker, predictor=scripted.address) as stage:
        decision = (await collect(stage.draw()))[-1].result.decision
    assert (decision.level, decision.predicted_quality) == ("quick", 0.3)


async def test_no_predictor_means_priors():
    client = Predictor(cluster_of().spec, None, clock=time.monotonic)
    prediction = await client.predict("x", slack=10)
    assert (prediction.qualities, prediction.fallback) == (PRIORS, "none")


async def test_predictor_that_hangs_costs_no_more_than_its_patience(
    scripted, predictor, monkeypatch
):
    monkeypatch.setattr(predict, "_PATIENCE", 0.3)
    scripted.hang = asyncio.Event()
    prediction = await predictor.predict("x", slack=10)
    assert (prediction.qualities, prediction.fallback) == (PRIORS, "timeout")
    again = [await predictor.predict("x", slack=10) for _ in range(3)]
    # One may be late; after three it is asked once a second only, and nobody waits for it.
    assert [one.fallback for one in again] == ["timeout", "timeout", "lost"]
    assert again[-1].seconds == 0.0
    assert scripted.asked == 3
    assert max(scripted.left) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"best": 0.5, "good": 0.5},
        {"best": float("nan"), "good": 0.5, "quick": 0.5},
        {"best": 1.5, "good": 0.5, "quick": 0.5},
    ],
)
async def test_answer_that_makes_no_sense_is_not_used(scripted, predictor, answer):
    scripted.answer = answer
    prediction = await predictor.predict("x", slack=10)
    assert (prediction.qualities, prediction.fallback) == (PRIORS, "invalid")


async def test_loss_and_return_are_each_said_once(scripted, predictor, caplog):
    caplog.set_level(logging.INFO, logger="argus_router.predict")
    scripted.error = Unavailable("down")
    for _ in range(5):
        assert (await predictor.predict("x", slack=10)).fallback == "lost"
        predictor.clock.added += 2
    scripted.error = None
    for _ in range(3):
        assert (await predictor.predict("x", slack=10)).fallback == ""
    said = [record.message.split(":")[0].split(" (")[0] for record in caplog.records]
    assert said == ["predictor lost", "predictor is back"]
    assert scripted.asked == 8


async def test_request_in_too_great_a_hurry_does_not_turn_the_predictor_off(scripted, predictor):
    scripted.hang = asyncio.Event()
    assert (await predictor.predict("x", slack=0.02)).fallback == "timeout"
    scripted.hang.set()
    scripted.hang = None
    assert (await predictor.predict("x", slack=100)).fallback == ""
