"""The price policy in a running router: bursts, plans, and refusals that hold."""

import asyncio

import grpc
import pytest

from argus_core.errors import Exhausted
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc
from helpers import eventually
from router_support import LONG, ScriptedWorker, cluster_of, collect, staged


def patient():
    """A cluster whose images and deadlines are long against whatever the machine takes."""
    return cluster_of(seconds=LONG, slo={"deadlineSeconds": 400.0})


async def settled(call):
    """The last decision of a request that is drawn."""
    return (await collect(call))[-1].result.decision


def plan_of(number, **prices):
    return control_pb2.ApplyPlanRequest(
        plan=cluster_pb2.Plan(
            id=number,
            allocations=[
                cluster_pb2.Allocation(pool="cpu", loadout=[variant], workers=1, price=price)
                for variant, price in prices.items()
            ],
        )
    )


async def test_burst_moves_prompts_down_the_ladder_and_back():
    worker = ScriptedWorker("w0", "large", "tiny")
    async with staged(worker, cluster=patient()) as stage:
        calls, during = [], []
        for _ in range(30):
            calls.append(stage.draw(timeout=None))
            during.append((await calls[-1].read()).accepted.decision)
        for call in calls:
            call.cancel()
        await eventually(lambda: not stage.waiting and not stage.running)
        last = stage.draw(timeout=None)
        after = (await last.read()).accepted.decision
        last.cancel()
    levels = [decision.level for decision in during]
    assert levels[0] == "best"
    assert levels[-10:] == ["quick"] * 10
    assert during[0].price == 0 < during[4].price < during[-1].price
    assert (after.level, after.price) == ("best", 0.0)


async def test_level_is_chosen_again_when_a_prompts_turn_comes():
    worker = ScriptedWorker("w0", "large", "tiny")
    async with staged(worker) as stage:
        first = stage.draw()
        await eventually(lambda: worker.calls)
        burst = [stage.draw() for _ in range(40)]
        await eventually(lambda: stage.waiting == 40)
        accepted = [(await call.read()).accepted.decision.level for call in burst]
        worker.automatic = True
        worker.calls[0].finish()
        await collect(first)
        results = [(await collect(call))[-1].result for call in burst]
    drawn = [result.decision for result in results]
    changed = [d for d, level in zip(drawn, accepted, strict=True) if d.level != level]
    assert changed
    assert all(d.reason.startswith("when its turn came, ") for d in changed)
    assert [d.level for d in drawn] == [
        {20: "best", 8: "good", 4: "quick"}[r.schedule.steps] for r in results
    ]


async def test_no_burst_moves_a_prompt_below_its_minimum_quality():
    worker = ScriptedWorker("w0", "large", "tiny")
    async with staged(worker) as stage:
        first = stage.draw()
        await eventually(lambda: worker.calls)
        choosy = [stage.draw(minimum_quality=0.8) for _ in range(5)]
        await eventually(lambda: stage.waiting == 5)
        burst = [stage.draw() for _ in range(30)]
        await eventually(lambda: stage.waiting == 35)
        worker.automatic = True
        worker.calls[0].finish()
        decisions = await asyncio.gather(*map(settled, choosy))
        await asyncio.gather(*map(collect, [first, *burst]))
    assert {d.level for d in decisions} <= {"best", "good"}


async def test_price_of_the_plan_is_honoured_and_told():
    large, tiny = ScriptedWorker("w0", "large"), ScriptedWorker("w1", "tiny")
    async with staged(large, tiny) as stage:
        first = stage.draw()
        await eventually(lambda: large.calls)
        await stage.control.ApplyPlan(plan_of(1, large=0.5, tiny=0.0))
        dear = stage.draw(explain=True)
        decision = (await dear.read()).accepted.decision
        await eventually(lambda: tiny.calls)
        await stage.control.ApplyPlan(plan_of(2, large=0.0, tiny=0.0))
        free = stage.draw(explain=True)
        later = (await free.read()).accepted.decision
        for call in (first, dear, free):
            call.cancel()
    assert decision.level == "quick"
    assert "at 0.500" in {o.level: o.rejected for o in decision.options}["best"]
    assert later.level == "best"
    assert later.price < 0.2


async def test_pinned_prompt_is_told_the_price_that_it_pays():
    worker = ScriptedWorker("w0", "large")
    async with staged(worker) as stage:
        first = stage.draw()
        await eventually(lambda: worker.calls)
        await stage.control.ApplyPlan(plan_of(1, large=0.5))
        call = stage.draw(level="best")
        decision = (await call.read()).accepted.decision
        for each in (first, call):
            each.cancel()
    assert (decision.level, decision.price) == ("best", pytest.approx(0.5))


async def test_free_worker_takes_over_what_waits_for_another():
    large, tiny = ScriptedWorker("w0", "large"), ScriptedWorker("w1", "tiny")
    async with staged(large, tiny, cluster=patient()) as stage:
        calls = [stage.draw(level=level, timeout=None) for level in ("best", "quick")]
        await eventually(lambda: large.calls and tiny.calls)
        waiting = stage.draw(deadline=duration(36), timeout=None)
        assert (await waiting.read()).accepted.decision.level == "quick"
        large.automatic = True
        large.calls[0].finish()
        decision = await settled(waiting)
        for call in calls:
            call.cancel()
    assert decision.level in {"best", "good"}
    assert decision.reason.startswith("a worker with large was free; ")


async def test_refused_at_once_with_a_time_to_come_back():
    worker = ScriptedWorker("w0", "large")
    async with staged(worker) as stage:
        calls, refusal = [], None
        while refusal is None:
            calls.append(stage.draw(level="good"))
            try:
                await calls[-1].read()
            except grpc.aio.AioRpcError as error:
                refusal = from_rpc(error)
        let_in = calls[:-1]
        assert isinstance(refusal, Exhausted)
        assert 0 < refusal.retry_after < 20
        worker.automatic = True
        worker.calls[0].finish()
        await asyncio.gather(*map(settled, let_in))
        assert (await come_again(stage, refusal.retry_after)).level == "good"
    # Of 20 s, 1 s each, a fifth is kept in hand; the first is under way.
    assert 10 <= len(let_in) <= 20


async def come_again(stage, after):
    await asyncio.sleep(after)
    return await settled(stage.draw(level="good"))
