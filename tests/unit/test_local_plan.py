from math import inf

from rich.console import Console

from argus_cli.commands import status
from argus_control.planning import SWITCH, Planning, Switches, costs_of, planning_of, rules_of
from argus_control.plans import Seat, make_plan, plan_message, seats
from argus_core.planning.plan import Allocation, Plan, Solver
from argus_core.spec import parse_cluster
from argus_protos.v1 import cluster_pb2
from argus_rpc.convert import duration
from operator_support import cluster_of

PLAN = Plan(
    allocations=(
        Allocation(pool="cpu", loadout=("a", "b"), workers=3, price=0.25, utilisation=0.5),
    ),
    mix=(),
    moves=(),
    solver=Solver.MILP,
    reason="so it is best",
    rate=2.5,
    value=0.8,
    expected_quality=0.9,
    expected_shed=0.04,
    switch_seconds=0.0,
    switch_charge=0.0,
    gap=0.0,
    seconds=0.1,
    alternatives=(),
)


def test_workers_are_named_by_pool_and_number():
    placed = seats({"cpu": (("a",), ("b",)), "h100": (("a", "b"),)})
    assert placed == {
        Seat(worker="cpu-0", pool="cpu"): ("a",),
        Seat(worker="cpu-1", pool="cpu"): ("b",),
        Seat(worker="h100-0", pool="h100"): ("a", "b"),
    }


def test_plan_counts_the_workers_of_each_pool_and_loadout():
    held = [("cpu", ("a",)), ("cpu", ("b", "c")), ("cpu", ("a",)), ("h100", ("a",))]
    plan = make_plan(7, held, reason="so it is")
    assert (plan.id, plan.reason, plan.solver) == (7, "so it is", "spread")
    allocations = [(a.pool, tuple(a.loadout), a.workers) for a in plan.allocations]
    assert allocations == [("cpu", ("a",), 2), ("cpu", ("b", "c"), 1), ("h100", ("a",), 1)]


def test_the_router_is_told_why_and_at_what_price():
    message = plan_message(9, PLAN)
    (allocation,) = message.allocations
    assert (message.id, message.reason, message.solver) == (9, "so it is best", "milp")
    assert (message.forecast_rate, message.expected_quality) == (2.5, 0.9)
    assert (list(allocation.loadout), allocation.workers, allocation.price) == (["a", "b"], 3, 0.25)


def test_status_shows_the_plan_with_its_reason_prices_and_forecast(capsys):
    Console(width=120).print(status._plan(plan_message(9, PLAN)))
    shown = " ".join(capsys.readouterr().out.split())
    assert "Plan 9" in shown
    assert "a, b │ 3 │ 0.250" in shown
    assert "so it is best (milp" in shown
    assert "2.50 images a second: mean quality 0.900 expected, 4.0% refused" in shown


def test_the_control_loop_is_made_for_what_the_document_says_of_planning():
    said = {"minimumGain": 0.1, "minimumGainAfterChange": 0.2, "shedLoss": 3}
    spec, silent = cluster_of(planning=said).spec, cluster_of().spec
    rules = rules_of(spec, planning_of(spec))
    assert (rules.minimum_gain, rules.young_gain, rules.shed_loss) == (0.1, 0.2, 3.0)
    assert rules_of(silent, planning_of(silent)) == rules_of(silent, Planning())


def switched(variants, seconds, *, before=("a",)):
    state = cluster_pb2.WorkerState()
    state.last_switch.to.extend(variants)
    state.last_switch.load.CopyFrom(duration(seconds))
    getattr(state.last_switch, "from").extend(before)
    return state


def test_switches_take_what_workers_took_and_each_counts_once():
    switches = Switches(["a", "b"])
    assert switches.seconds == {"a": SWITCH, "b": SWITCH}
    for _ in range(3):
        switches.hear({"w": switched(["b"], 1.0)})
    assert switches.seconds == {"a": 1.0, "b": 1.0}  # Of a nothing was seen: it is as slow as b.
    switches.hear({"w": switched(["a", "b"], 6.0), "v": switched(["b"], 99.0, before=())})
    assert switches.seconds == {"a": 3.0, "b": 2.0}


def test_until_a_switch_is_seen_one_takes_no_longer_than_a_worker_s_first_load():
    switches = Switches(["a", "b"])
    for name, took in (("v", 1.0), ("w", 2.0), ("u", 99.0)):
        switches.hear({name: switched(["b"], took, before=())})
    assert switches.seconds == {"a": SWITCH, "b": 1.0}
    switches.hear({"w": switched(["b"], 3.0)})
    assert switches.seconds["b"] == 3.0


def test_levels_that_the_router_will_not_serve_are_closed():
    def level(name, variant, **more):
        return {"name": name, "variant": variant, "steps": 8, "quality": 1.0} | more

    spec = parse_cluster(
        {
            "apiVersion": "argus.dev/v1alpha1",
            "kind": "ArgusCluster",
            "metadata": {"name": "test"},
            "spec": {
                "slo": {"minimumQuality": 0.5},
                "pools": [{"name": "cpu", "workers": 2}],
                "variants": [{"name": v, "model": "m", "family": "shapes"} for v in ("y", "x")],
                "ladder": [
                    level("x-8", "x", seconds={"cpu": 1.0}),
                    level("x-8-4", "x", seconds={"cpu": 0.5}, skippedSteps=4),
                    level("y-8", "y", seconds={"cpu": 0.2}, quality=0.5),
                    level("y-2", "y", seconds={"cpu": 0.1}, quality=0.4),
                ],
            },
        }
    ).spec
    assert costs_of(spec) == [{"cpu": 1.0}, {"cpu": inf}, {"cpu": 0.2}, {"cpu": inf}]
    (pool,) = rules_of(spec, Planning()).pools
    assert pool.loadouts == (("x",), ("y",))
