"""What routers are told of the history of plans, and what they tell of requests."""

import asyncio

import pytest

from argus_client import AsyncClient, workers
from argus_control.mode import Mode
from argus_core.errors import InvalidRequest, NotFound
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_router.plans import Plans
from argus_rpc.convert import seconds
from control_support import PATIENCE, controlled, flooded
from helpers import eventually
from router_support import ScriptedPredictor, ScriptedWorker, collect, predicting, staged

pytestmark = pytest.mark.usefixtures("patient")


async def test_a_change_is_told_with_its_reasons_and_what_came_of_it():
    async with (
        controlled(Mode.AUTOMATIC) as (stage, control, (first, _)),
        AsyncClient(stage.grpc) as client,
        flooded(stage),
    ):
        await eventually(lambda: list(first.state.loadout) == ["tiny"], PATIENCE)

        async def settled():
            told = await client.plans(changes_only=True)
            return [r for r in told if r.moves and r.aftermath.HasField("took")]

        (record, *_) = await eventually(settled, PATIENCE)
    assert record.followed
    assert record.plan.reason.startswith("moves 1 worker of cpu from large to tiny")
    (move,) = record.moves
    assert (move.pool, move.workers, list(move.to)) == ("cpu", 1, ["tiny"])
    assert record.inputs.expected_rate > 0
    assert {tuple(a.loadout) for a in record.inputs.standing} == {("large",), ("tiny",)}
    assert "hold" in [other.name for other in record.alternatives]
    assert (record.aftermath.switches, record.aftermath.switched) == (1, 1)
    assert 0 <= seconds(record.aftermath.took) < PATIENCE


async def test_advice_is_told_as_such():
    async with (
        controlled(Mode.ADVISORY) as (stage, _, __),
        AsyncClient(stage.grpc) as client,
        flooded(stage),
    ):

        async def advised():
            return [r for r in await client.plans() if r.moves]

        (record, *_) = await eventually(advised, PATIENCE)
    assert not record.followed
    assert record.aftermath.switches == 0


async def test_what_somebody_assigns_by_hand_is_in_the_history():
    async with (
        controlled(Mode.OFF) as (stage, _, (first, __)),
        AsyncClient(stage.grpc) as client,
    ):
        await workers.assign(first.address, ["tiny"])

        async def by_hand():
            return [r for r in await client.plans() if r.plan.reason == "as assigned by hand"]

        (record,) = await eventually(by_hand, PATIENCE)
    assert record.changes
    assert not record.HasField("inputs")


async def test_a_router_that_forgot_all_is_told_all():
    async with (
        controlled(Mode.AUTOMATIC) as (stage, control, _),
        AsyncClient(stage.grpc) as client,
        flooded(stage),
    ):
        await eventually(lambda: len(control.history.records) > 1, PATIENCE)
        known = [r.plan.id for r in control.history.records]
        stage.router.service.plans, stage.router.service.plan = Plans(), None

        async def told():
            return {r.plan.id for r in await client.plans()} >= set(known)

        await eventually(told, PATIENCE)


async def test_records_replace_each_other_and_the_newest_are_told():
    async with staged() as stage, AsyncClient(stage.grpc) as client:

        def record(number, reason, *, changes=False):
            plan = cluster_pb2.Plan(id=number, reason=reason)
            return control_pb2.PlanRecord(plan=plan, changes=changes)

        await client.record_plans([record(1, "one"), record(2, "two", changes=True)])
        await client.record_plans([record(3, "three"), record(1, "one again")])
        assert [r.plan.reason for r in await client.plans()] == ["one again", "two", "three"]
        assert [r.plan.id for r in await client.plans(newest=2)] == [2, 3]
        assert [r.plan.id for r in await client.plans(changes_only=True)] == [2]
        await client.record_plans(record(n, "") for n in range(4, 504))
        assert [r.plan.id for r in await client.plans()] == list(range(4, 504))
        with pytest.raises(InvalidRequest) as caught:
            await client.record_plans([control_pb2.PlanRecord()])
        assert caught.value.violations[0].field == "records[0].plan.id"


async def test_a_request_is_explained_without_its_prompt():
    worker = ScriptedWorker("w0", "large", "tiny")
    predictor = ScriptedPredictor(best=0.95, good=0.9, quick=0.5)
    async with (
        predicting(predictor) as address,
        staged(worker, predictor=address) as stage,
        AsyncClient(stage.grpc) as client,
    ):
        with pytest.raises(NotFound):
            await client.explain()
        drawing = asyncio.ensure_future(collect(stage.draw("a secret", count=2)))
        await eventually(lambda: worker.calls)
        under_way = await client.explain()
        worker.automatic = True
        worker.calls[0].finish()
        events = await drawing
        request_id = next(e.accepted.request_id for e in events if e.HasField("accepted"))
        record = await client.explain(request_id)
        with pytest.raises(NotFound):
            await client.explain("another")
    assert [image.outcome for image in under_way.images] == ["", ""]
    assert record.request_id == request_id == under_way.request_id
    assert record.model_version == "v1"
    assert [image.outcome for image in record.images] == ["ok", "ok"]
    image = record.images[0]
    assert image.worker == "w0"
    assert image.attempts == 1
    assert image.timing.HasField("total")
    assert {o.level: o.predicted_quality for o in image.first.options} == {
        "best": 0.95,
        "good": 0.9,
        "quick": 0.5,
    }
    assert [o.level for o in image.first.options if not o.rejected] == [image.first.level]
    assert b"secret" not in record.SerializeToString()


async def test_only_the_latest_requests_are_kept():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with staged(worker) as stage, AsyncClient(stage.grpc) as client:
        names = []
        for _ in range(3):
            await collect(stage.draw())
            names.append((await client.explain()).request_id)
        recall = stage.router.service.recall
        assert len(set(names)) == 3
        assert [recall.explain(name).request_id for name in names] == names
