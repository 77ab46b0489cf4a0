from argus_cli.local.plan import Seat, make_plan, seats


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
