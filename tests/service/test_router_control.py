"""What the control loop sees of a router, and what it tells it."""

import random

import grpc
import pytest

from argus_core.errors import InvalidRequest
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_router.load import Window
from argus_rpc.convert import duration, seconds
from argus_rpc.errors import from_rpc
from helpers import eventually
from router_support import ScriptedWorker, cluster_of, collect, staged


def plan_of(number, **allocation):
    fields = {"pool": "cpu", "loadout": ["tiny"], "workers": 2, "price": 0.5, **allocation}
    return control_pb2.ApplyPlanRequest(
        plan=cluster_pb2.Plan(id=number, allocations=[cluster_pb2.Allocation(**fields)])
    )


async def test_describe_tells_levels_workers_queues_and_defaults():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        calls = [stage.draw(), stage.draw(level="best")]
        await eventually(lambda: worker.calls and stage.waiting == 1)
        told = await stage.images.DescribeCluster(images_pb2.DescribeClusterRequest())
        for call in calls:
            call.cancel()
    assert told.name == "test"
    assert [level.name for level in told.levels] == ["best", "good", "quick"]
    assert seconds(told.levels[2].seconds_per_image) == pytest.approx(0.1)
    assert [w.worker for w in told.workers] == ["w0"]
    assert seconds(told.default_deadline) == 20.0
    assert (told.slo_target, [(p.name, p.workers) for p in told.pools]) == (0.99, [("cpu", 2)])
    assert told.shed_loss == 2.0
    assert (told.default_size.width, told.default_size.height) == (32, 32)
    assert dict(told.queued) == {"": 1}
    assert not told.HasField("plan")
    assert told.version


async def test_plan_is_kept_and_an_older_one_refused():
    async with staged() as stage:
        await stage.control.ApplyPlan(plan_of(2))
        await stage.control.ApplyPlan(plan_of(2))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stage.control.ApplyPlan(plan_of(1))
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        told = await stage.images.DescribeCluster(images_pb2.DescribeClusterRequest())
    assert told.plan == plan_of(2).plan


async def test_metrics_tell_who_holds_what_prices_and_changes_of_plans():
    async with staged(ScriptedWorker("w0", "tiny")) as stage:
        for number, workers in ((1, 2), (2, 2), (3, 1)):
            await stage.control.ApplyPlan(plan_of(number, workers=workers, price=0.25))
        found = {
            line: await stage.metric(line)
            for line in (
                'argus_router_variant_workers{variant="tiny"}',
                'argus_router_variant_workers{variant="large"}',
                'argus_router_price{variant="tiny"}',
                "argus_router_plan_changes_total",
            )
        }
        async with stage.session.get("/metrics") as response:
            assert 'argus_router_price{variant="large"}' not in await response.text()
    assert list(found.values()) == [1.0, 0.0, 0.25, 2.0]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (control_pb2.ApplyPlanRequest(), "plan.id"),
        (plan_of(1, pool="other"), "plan.allocations[0].pool"),
        (plan_of(1, loadout=["huge"]), "plan.allocations[0].loadout"),
        (plan_of(1, price=-1.0), "plan.allocations[0].price"),
        (plan_of(1, price=float("nan")), "plan.allocations[0].price"),
        (
            control_pb2.ApplyPlanRequest(plan=cluster_pb2.Plan(id=1, expected_shed=2)),
            "plan.expected_shed",
        ),
    ],
)
async def test_plan_that_makes_no_sense_is_refused_by_field(request_, field):
    async with staged() as stage:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stage.control.ApplyPlan(request_)
    error = from_rpc(caught.value)
    assert isinstance(error, InvalidRequest)
    assert error.violations[0].field == field


async def test_load_is_reported_by_window():
    worker, slo = ScriptedWorker("w0", "tiny"), {"deadlineSeconds": 200}
    async with staged(worker, cluster=cluster_of(router={"maxQueued": 2}, slo=slo)) as stage:
        watch = stage.control.WatchLoad(
            control_pb2.WatchLoadRequest(interval=duration(0.3)), timeout=100
        )
        first = (await watch.read()).report
        running = stage.draw(timeout=None)
        await eventually(lambda: worker.calls)
        waiting = stage.draw(count=2, timeout=None)
        await eventually(lambda: stage.waiting == 2)
        with pytest.raises(grpc.aio.AioRpcError):
            await collect(stage.draw(count=3))
        worker.calls[0].finish()
        await collect(running)
        await eventually(lambda: stage.waiting == 1)
        reports = [first]
        while sum(report.on_time for report in reports) < 1:
            reports.append((await watch.read()).report)
        waiting.cancel()
        watch.cancel()
    assert (first.sequence, first.arrivals) == (1, 0)
    assert sum(report.arrivals for report in reports) == 6
    assert sum(report.refused for report in reports) == 3
    assert [report.sequence for report in reports] == list(range(1, len(reports) + 1))
    last = reports[-1]
    assert [(q.variant, q.queued) for q in last.queues] == [("tiny", 1)]
    assert 100 < seconds(last.queues[0].least_slack) < 200
    assert sum(len(report.samples) for report in reports) == 3
    assert list(next(r for r in reports if r.samples).samples[0].qualities) == [1.0, 0.9, 0.6]


async def test_what_images_took_is_told_to_the_control_loop_and_to_whoever_asks():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        watch = stage.control.WatchLoad(
            control_pb2.WatchLoadRequest(interval=duration(0.1)), timeout=100
        )
        work = list((await watch.read()).report.work)
        assert not work
        for number in range(3):
            call = stage.draw()
            await eventually(lambda n=number: len(worker.calls) > n)
            worker.calls[-1].finish()
            await collect(call)
        while sum(one.images for one in work) < 3:
            work += (await watch.read()).report.work
        assert not (await watch.read()).report.work
        watch.cancel()
        told = await stage.images.DescribeCluster(images_pb2.DescribeClusterRequest())
        measured = await stage.metric(
            'argus_router_level_seconds{gpu_type="cpu",level="quick",source="measured"}'
        )
    assert {(one.level, one.gpu_type) for one in work} == {("quick", "cpu")}
    assert 0 < sum(seconds(one.seconds) for one in work) < 3.0
    levels = {one.level: one for one in told.seconds}
    assert seconds(levels["quick"].measured) == pytest.approx(measured, rel=0.01)
    assert seconds(levels["quick"].stated) == pytest.approx(0.1)
    assert not levels["best"].HasField("measured")


@pytest.mark.parametrize("interval", [0.05, -1.0, 301.0])
async def test_interval_out_of_range_is_refused(interval):
    async with staged() as stage:
        watch = stage.control.WatchLoad(
            control_pb2.WatchLoadRequest(interval=duration(interval)), timeout=10
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    assert from_rpc(caught.value).violations[0].field == "interval"


def test_sample_of_a_window_is_bounded_and_uniform():
    counts = [0] * 1000
    for seed in range(200):
        window = Window(rng=random.Random(seed))
        for prompt in range(1000):
            window.arrived(1, {"only": float(prompt)}, deadline=30.0)
        assert len(window.samples) == 200
        for (prompt,) in window.samples:
            counts[int(prompt)] += 1
    # Each prompt is sampled 40 times of 200 in expectation, give or take 6.
    assert 30 < sum(counts[:100]) / 100 < 50
    assert 30 < sum(counts[-100:]) / 100 < 50
