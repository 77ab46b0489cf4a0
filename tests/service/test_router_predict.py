"""What the router makes of a predictor that does not take a prompt."""

import asyncio
import time

import grpc
import pytest

from argus_core.errors import Exhausted, InvalidRequest, NotBuilt
from argus_protos.v1 import control_pb2
from argus_router import asking, predict
from argus_router.predict import Predictor
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc
from helpers import eventually
from router_support import (
    ScriptedPredictor,
    ScriptedWorker,
    cluster_of,
    collect,
    predicting,
    staged,
)

pytestmark = pytest.mark.usefixtures("patient")


@pytest.mark.parametrize(
    ("error", "fallback"),
    [
        (Exhausted("too many wait", retry_after=0.1), "shed"),
        (InvalidRequest.one("prompt", "is not one"), "refused"),
    ],
)
async def test_predictor_that_does_not_take_a_prompt_is_asked_for_the_next(error, fallback):
    scripted = ScriptedPredictor(best=0.5, good=0.4, quick=0.3)
    async with predicting(scripted) as address:
        client = Predictor(cluster_of().spec, address, clock=time.monotonic)
        scripted.error = error
        refused = await client.predict("x", slack=1000)
        scripted.error = None
        taken = await client.predict("x", slack=1000)
        await client.close()
    assert refused.fallback == fallback
    assert refused.qualities == {"best": 1.0, "good": 0.9, "quick": 0.6}
    assert (taken.fallback, taken.qualities["best"]) == ("", 0.5)


class Late(ScriptedPredictor):
    """Does not answer as long as it is told to be late."""

    late = True

    async def Predict(self, request, context):
        if self.late:
            self.asked.append(request)
            await asyncio.Event().wait()
        return await super().Predict(request, context)


async def test_predictor_is_lost_once_several_answers_in_a_row_are_late_and_not_by_one(
    monkeypatch,
):
    predictor, now = Late(best=0.5, good=0.4, quick=0.3), [0.0]
    async with predicting(predictor) as address:
        asking = Predictor(cluster_of().spec, address, clock=lambda: now[0])
        monkeypatch.setattr(predict, "_PATIENCE", 0.05)
        told = [(await asking.predict("x", slack=1000)).fallback for _ in range(4)]
        # From the fourth on it is asked once a second only.
        assert told == ["timeout", "timeout", "timeout", "lost"]
        monkeypatch.setattr(predict, "_PATIENCE", 30.0)
        predictor.late, now[0] = False, 2.0
        assert (await asking.predict("x", slack=1000)).qualities["best"] == 0.5
        predictor.late = True
        monkeypatch.setattr(predict, "_PATIENCE", 0.05)
        assert (await asking.predict("x", slack=1000)).fallback == "timeout"
        monkeypatch.setattr(predict, "_PATIENCE", 30.0)
        predictor.late = False
        # One late answer was no loss: the next is asked at once.
        assert (await asking.predict("x", slack=1000)).qualities["best"] == 0.5
        await asking.close()


async def test_nothing_is_predicted_for_who_is_refused_whatever_it_is_worth():
    predictor, worker = (
        ScriptedPredictor(best=1.0, good=0.9, quick=0.6),
        ScriptedWorker("w0", "tiny"),
    )
    cluster = cluster_of(router={"maxQueued": 1}, slo={"deadlineSeconds": 600})
    async with (
        predicting(predictor) as address,
        staged(worker, predictor=address, cluster=cluster) as stage,
    ):
        calls = [stage.draw(), stage.draw()]
        await eventually(lambda: worker.calls and stage.waiting == 1)
        arrivals = stage.control.WatchLoad(control_pb2.WatchLoadRequest(interval=duration(0.1)))
        await arrivals.read()
        for number in range(4):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await collect(stage.draw(prompt=f"number {number}"))
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert from_rpc(caught.value).retry_after > 0
        # The first found nobody who had been refused before it.
        assert [request.prompt for request in predictor.asked[2:]] == ["number 0"]
        report = (await arrivals.read()).report
        while report.arrivals < 4:
            new = (await arrivals.read()).report
            report.arrivals += new.arrivals
            report.refused += new.refused
            report.samples.extend(new.samples)
        assert (report.refused, len(report.samples)) == (4, 1)
        for call in calls:
            call.cancel()


class Gated(ScriptedPredictor):
    """Answers the first once it may; remembers how many came together."""

    takes_many = True

    def __init__(self, **qualities):
        super().__init__(**qualities)
        self.gate, self.together = asyncio.Event(), []

    async def Predict(self, request, context):
        if request.prompt == "first":
            self.asked.append(request)
            await self.gate.wait()
        if request.prompt == "odd":
            raise InvalidRequest.one("prompt", "is not one")
        return await super().Predict(request, context)

    async def PredictMany(self, request, context):
        if not self.takes_many:
            raise NotBuilt("one at a time")
        self.together.append([one.prompt for one in request.requests])
        return await super().PredictMany(request, context)


async def test_those_who_come_while_a_call_is_under_way_are_asked_for_together(monkeypatch):
    monkeypatch.setattr(asking, "_MOMENT", 10.0)
    predictor = Gated(best=0.5, good=0.4, quick=0.3)
    async with predicting(predictor) as address:
        client = Predictor(cluster_of().spec, address, clock=time.monotonic)
        first = asyncio.create_task(client.predict("first", slack=1000))
        await eventually(lambda: predictor.asked)
        later = [
            asyncio.create_task(client.predict(prompt, slack=slack))
            for prompt, slack in (("a", 1000), ("odd", 1000), ("hasty", 0.2), ("b", 1000))
        ]
        # Who is in a hurry does not wait for others, and no other is held up by what one asks.
        assert (await later[2]).fallback == "timeout"
        predictor.gate.set()
        told = [await each for each in (first, later[0], later[1], later[3])]
        await client.close()
    assert [each.fallback for each in told] == ["", "", "refused", ""]
    assert predictor.together == [["a", "odd", "b"]]


async def test_predictor_that_takes_one_at_a_time_is_asked_so():
    predictor = Gated(best=0.5, good=0.4, quick=0.3)
    predictor.takes_many = False
    async with predicting(predictor) as address:
        client = Predictor(cluster_of().spec, address, clock=time.monotonic)
        first = asyncio.create_task(client.predict("first", slack=1000))
        await eventually(lambda: predictor.asked)
        later = [asyncio.create_task(client.predict(text, slack=1000)) for text in "ab"]
        predictor.gate.set()
        told = [await each for each in (first, *later)]
        again = await asyncio.gather(*(client.predict(text, slack=1000) for text in "cd"))
        await client.close()
    assert [each.fallback for each in (*told, *again)] == [""] * 5


async def test_who_comes_during_a_call_waits_for_no_more_than_a_moment():
    predictor = Gated(best=0.5, good=0.4, quick=0.3)
    async with predicting(predictor) as address:
        client = Predictor(cluster_of().spec, address, clock=time.monotonic)
        first = asyncio.create_task(client.predict("first", slack=1000))
        await eventually(lambda: predictor.asked)
        told = await asyncio.gather(*(client.predict(text, slack=1000) for text in "ab"))
        assert not first.done()
        predictor.gate.set()
        await first
        await client.close()
    assert [each.fallback for each in told] == ["", ""]
    assert predictor.together == [["a", "b"]]
