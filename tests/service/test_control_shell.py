"""The control loop over a real router, and workers that do as they are told."""

from argus_client import workers
from argus_control.mode import Mode
from argus_protos.v1 import cluster_pb2, control_pb2
from control_support import PATIENCE, ObedientWorker, controlled, flooded
from helpers import eventually


def planned(stage):
    """Workers by loadout, as the router was told."""
    plan = stage.router.service.plan
    return {tuple(a.loadout): a.workers for a in plan.allocations} if plan else {}


async def test_workers_follow_the_plan_and_the_router_is_told_it():
    async with controlled(Mode.AUTOMATIC) as (stage, control, (first, second)):
        await eventually(lambda: planned(stage) == {("large",): 1, ("tiny",): 1}, PATIENCE)
        async with flooded(stage):
            await eventually(lambda: planned(stage) == {("tiny",): 2}, PATIENCE)
            await eventually(lambda: list(first.state.loadout) == ["tiny"], PATIENCE)
            both = {"cpu-0": ("tiny",), "cpu-1": ("tiny",)}
            await eventually(lambda: control.crew.loadouts == both, PATIENCE)
            plan = stage.router.service.plan
            assert second.told == []
            assert control.crew.pinned == set()
        assert plan.forecast_rate > 0
        assert plan.solver
        assert plan.reason


async def test_a_leap_is_looked_for_often_where_workers_load_quickly():
    async with controlled(Mode.AUTOMATIC, interval=2.0) as (stage, control, (first, _)):
        assert control.lines["router"].interval == 1.0
        async with flooded(stage):
            first.tell_switch("large", seconds=0.01)
            await eventually(lambda: control.lines["router"].interval == 0.2, PATIENCE)
            await eventually(lambda: planned(stage) == {("tiny",): 2}, PATIENCE)
        first.tell_switch("large", seconds=10_000.0)
        await eventually(lambda: control.lines["router"].interval == 1.0, PATIENCE)


async def test_advice_is_told_and_nobody_moves():
    async with controlled(Mode.ADVISORY) as (stage, control, workers):
        async with flooded(stage):
            await eventually(lambda: "advised, and not done: moves 1" in reason(stage), PATIENCE)
        assert planned(stage) == {("large",): 1, ("tiny",): 1}
        assert stage.router.service.plan.forecast_rate == 0
        assert [worker.told for worker in workers] == [[], []]


def reason(stage):
    return stage.router.service.plan.reason if stage.router.service.plan else ""


async def test_without_planning_the_router_is_told_what_workers_hold():
    async with controlled(Mode.OFF) as (stage, control, (first, _)):
        await eventually(lambda: planned(stage) == {("large",): 1, ("tiny",): 1}, PATIENCE)
        await workers.assign(first.address, ["tiny"])
        await eventually(lambda: planned(stage) == {("tiny",): 2}, PATIENCE)
        assert reason(stage) == "as assigned by hand"


async def test_who_refuses_is_told_again_and_the_failure_is_logged_once(caplog):
    async with controlled(Mode.AUTOMATIC) as (stage, control, (first, _)):
        first.refuses = 3
        async with flooded(stage):
            await eventually(lambda: list(first.state.loadout) == ["tiny"], PATIENCE)
        assert control.crew.pinned == set()
    failures = [r for r in caplog.records if "switching workers failed" in r.getMessage()]
    assert len(failures) == 1


async def test_who_waits_for_its_turn_is_told_once_what_it_will_hold():
    # No plan is made meanwhile, which would say otherwise.
    async with controlled(Mode.AUTOMATIC, interval=600.0) as (_, control, (first, second)):
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        first.ready.clear()
        control._wanted = {"cpu-0": ("tiny",), "cpu-1": ("large",)}
        control.wake()
        await eventually(lambda: second.expected == [("large",)], PATIENCE)
        assert (first.told, second.told) == ([("tiny",)], [])
        first.ready.set()
        await eventually(lambda: second.told == [("large",)], PATIENCE)
        assert (first.expected, second.expected) == ([], [("large",)])


async def test_who_was_assigned_by_hand_stays_so():
    async with controlled(Mode.AUTOMATIC) as (stage, control, (first, second)):
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        await workers.assign(second.address, ["large"])
        await eventually(lambda: control.crew.pinned == {"cpu-1"}, PATIENCE)
        async with flooded(stage):
            await eventually(lambda: planned(stage) == {("large",): 1, ("tiny",): 1}, PATIENCE)
            await eventually(lambda: list(first.state.loadout) == ["tiny"], PATIENCE)
        assert second.told == [("large",)]


async def test_a_plan_of_somebody_else_is_overtaken():
    async with controlled(Mode.AUTOMATIC) as (stage, control, _):
        await eventually(lambda: planned(stage), PATIENCE)
        other = cluster_pb2.Plan(id=1000, reason="another's")
        await stage.control.ApplyPlan(control_pb2.ApplyPlanRequest(plan=other))
        await eventually(lambda: reason(stage) not in ("", "another's"), PATIENCE)
        assert stage.router.service.plan.id > 1000


async def test_a_worker_that_comes_back_elsewhere_is_followed_there():
    async with controlled(Mode.OFF) as (stage, control, (first, second)):
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        await first.die()
        await eventually(lambda: control.crew.phase("cpu-0") is None, PATIENCE)
        again = ObedientWorker("cpu-0", "large")
        await again.start()
        control.crew.meet({"cpu-0": again.address, "cpu-1": second.address})
        await eventually(lambda: "cpu-0" in control.crew.states, PATIENCE)
        assert control.crew.pinned == set()
        await again.die()
