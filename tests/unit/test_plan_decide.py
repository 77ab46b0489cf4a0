import os
import subprocess
import sys
from dataclasses import replace
from itertools import count

import pytest

from argus_core.planning.decide import decide
from argus_core.planning.plan import Solver
from argus_core.planning.problem import Holding, Limits
from argus_core.planning.table import tabulate
from planning_support import counts, holding, plan_of, two_levels

ALL_LARGE = (Holding(pool="main", loadout=("large",), workers=10),)


def test_idle_gpus_serve_the_best_level_at_no_price():
    plan = plan_of(two_levels(rate=0.5))
    assert plan.expected_quality == pytest.approx(1.0)
    assert all(a.price == 0 for a in plan.allocations)
    assert plan.expected_shed == 0


def test_no_requests_need_nothing():
    plan = plan_of(two_levels(rate=0.0, standing=ALL_LARGE))
    assert plan.solver is Solver.HELD
    assert plan.expected_quality == pytest.approx(1.0)


def test_load_moves_workers_to_the_cheaper_variant_and_says_why():
    plan = plan_of(two_levels(rate=5.0, standing=ALL_LARGE))
    assert plan.solver is Solver.MILP
    (move,) = plan.moves
    assert (move.before, move.after) == (("large",), ("small",))
    assert f"moves {move.workers} workers of main from large to small because" in plan.reason
    assert plan.expected_shed == 0
    assert plan.switch_seconds == 10 * move.workers


def test_prompts_that_lose_least_are_served_cheaply():
    plan = plan_of(two_levels(rate=4.0))
    shares = {serving.level: serving.share for serving in plan.mix}
    # Half of the sampled prompts lose 0.2 or less; they go first.
    assert shares["small-4"] >= 0.25
    assert plan.expected_quality > 1 - 0.2 * shares["small-4"]


def test_a_price_is_what_a_gpu_second_would_gain():
    """One level, overloaded: a second more serves 1/4 image, each worth its quality and loss."""
    problem = two_levels(rate=100.0, qualities=[[0.9, 0.0]], limits={"small": Limits(maximum=0)})
    (allocation,) = plan_of(problem).allocations
    assert allocation.price == pytest.approx((0.9 + problem.rules.shed_loss) / 4.0)


def test_two_levels_that_share_a_worker_are_priced_by_what_separates_them():
    problem = two_levels(rate=4.0, qualities=[[1.0, 0.7]])
    pool = replace(problem.pools[0], loadouts=(("large", "small"),))
    (allocation,) = plan_of(replace(problem, pools=(pool,))).allocations
    assert allocation.price == pytest.approx((1.0 - 0.7) / (4.0 - 1.0), rel=0.1)


def test_beyond_the_cheapest_level_the_rest_is_shed():
    plan = plan_of(two_levels(rate=20.0))
    assert counts(plan) == {("main", ("small",)): 10}
    assert 0.45 < plan.expected_shed < 0.6
    assert "cannot be served at any level" in plan.reason


def test_a_level_that_misses_the_deadline_is_closed():
    problem = two_levels(rate=0.1)
    plan = plan_of(replace(problem, rules=replace(problem.rules, deadline=3.0)))
    assert {serving.level for serving in plan.mix} == {"small-4"}


def test_a_gain_below_the_least_is_not_worth_a_change():
    problem = two_levels(rate=3.0, standing=ALL_LARGE)
    plan = plan_of(problem)
    assert plan.moves
    gain = next(a.cost for a in plan.alternatives if a.name == "hold")
    stricter = replace(problem, rules=replace(problem.rules, minimum_gain=gain * 1.01))
    held = plan_of(stricter)
    assert held.solver is Solver.HELD
    assert counts(held) == {("main", ("large",)): 10}
    assert "less than the" in held.reason
    change = next(a for a in held.alternatives if a.name == "change")
    assert change.cost == pytest.approx(-gain)


def test_a_plan_carried_out_is_held_at_the_same_load():
    problem = two_levels(rate=4.0)
    first = plan_of(problem)
    again = plan_of(replace(problem, standing=holding(first)))
    assert again.solver is Solver.HELD
    assert counts(again) == counts(first)
    assert again.moves == ()


def test_alternating_loads_within_the_hysteresis_move_nobody():
    problem = two_levels(rate=4.0)
    standing = holding(plan_of(problem))
    for rate in (4.05, 3.95, 4.02, 3.98) * 3:
        plan = plan_of(replace(problem, rate=rate, standing=standing))
        assert plan.solver is Solver.HELD
        standing = holding(plan)


def test_a_switch_that_cannot_be_won_back_is_not_made():
    slow = {"large": 30.0, "small": 400.0}
    plan = plan_of(two_levels(rate=4.0, standing=ALL_LARGE, switch_seconds=slow))
    assert plan.solver is Solver.HELD
    assert plan.moves == ()


def test_every_alternative_costs_something():
    plan = plan_of(two_levels(rate=5.0, standing=ALL_LARGE))
    names = [a.name for a in plan.alternatives]
    assert names == [
        "hold", "best level only", "one worker fewer moved", "one worker more moved",
    ]  # fmt: skip
    assert all(a.cost > 0 for a in plan.alternatives)


def test_stale_figures_hold_the_plan():
    plan = plan_of(two_levels(rate=50.0, standing=ALL_LARGE, load_age=61.0))
    assert plan.solver is Solver.HELD
    assert counts(plan) == {("main", ("large",)): 10}
    assert "last reported 61 s ago" in plan.reason


def test_missing_prompts_hold_the_plan():
    plan = plan_of(two_levels(rate=50.0, standing=ALL_LARGE, qualities=[]))
    assert plan.solver is Solver.HELD
    assert "no prompts were sampled" in plan.reason


def test_with_nothing_known_and_nothing_standing_loadouts_are_spread():
    plan = plan_of(two_levels(qualities=[], load_age=float("inf")))
    assert plan.solver is Solver.SPREAD
    assert counts(plan) == {("main", ("large",)): 5, ("main", ("small",)): 5}


def test_a_standing_plan_that_breaks_a_bound_is_replaced():
    plan = plan_of(two_levels(rate=0.5, standing=ALL_LARGE, limits={"large": Limits(maximum=4)}))
    assert counts(plan)["main", ("large",)] == 4
    assert "breaks a bound" in plan.reason


def test_a_worker_that_holds_nothing_is_put_to_use():
    eight = (Holding(pool="main", loadout=("large",), workers=8),)
    plan = plan_of(two_levels(rate=1.0, standing=eight))
    assert sum(a.workers for a in plan.allocations) == 10
    assert all(move.before == () for move in plan.moves)


def test_lost_workers_shrink_the_plan():
    problem = two_levels(rate=1.0)
    pool = replace(problem.pools[0], unavailable=9)
    plan = plan_of(replace(problem, pools=(pool,)))
    assert sum(a.workers for a in plan.allocations) == 1
    none_left = replace(problem, pools=(replace(pool, unavailable=10),))
    assert plan_of(none_left).expected_shed == pytest.approx(1.0)


def test_a_minimum_is_kept_though_nobody_asks_for_it():
    plan = plan_of(two_levels(rate=0.5, limits={"small": Limits(minimum=3)}))
    assert counts(plan)["main", ("small",)] >= 3


def test_workers_that_hold_both_need_no_split():
    problem = two_levels(rate=4.0)
    both = replace(problem.pools[0], loadouts=(("large",), ("small",), ("large", "small")))
    joint = plan_of(replace(problem, pools=(both,)))
    assert joint.value >= plan_of(problem).value - 1e-9


def hurried(rate):
    """The nine-worker problem whose rounding is not proven, with no time at all."""
    problem = two_levels(rate=rate, workers=3)
    return replace(problem, rules=replace(problem.rules, time_limit=0.0, gap=1e-7))


def test_without_time_the_rounding_serves_and_is_named():
    plan = decide(hurried(1.5), clock=lambda: 0.0)
    assert plan.solver is Solver.ROUNDING
    assert "the search did not end within 0 s" in plan.reason
    assert plan.gap > 0
    assert sum(a.workers for a in plan.allocations) == 3


def test_without_time_a_better_table_serves_and_is_named():
    best = plan_of(two_levels(rate=1.5, workers=3))
    table = tabulate([best, plan_of(two_levels(rate=0.1, workers=3))])
    rounded = decide(hurried(1.5), clock=lambda: 0.0)
    plan = decide(hurried(1.5), clock=lambda: 0.0, table=table)
    assert plan.value >= rounded.value
    assert plan.solver is (Solver.TABLE if best.value > rounded.value else Solver.ROUNDING)
    assert best.value > rounded.value, "choose a load where rounding is not best"


def test_seconds_come_from_the_clock_that_was_passed():
    ticks = count()
    plan = decide(two_levels(), clock=lambda: next(ticks) / 1000)
    assert 0 < plan.seconds == pytest.approx((next(ticks) - 1) / 1000)


def test_planning_prints_nothing():
    """In a process of its own, since the solver would print once a process."""
    script = (
        "from planning_support import plan_of, two_levels;"
        "assert plan_of(two_levels(rate=4.0)).allocations"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_however_little_comes_a_variant_that_nobody_holds_serves_nobody():
    """Two kinds of prompts, each good at one variant only: both must be held somewhere."""
    problem = two_levels(rate=0.0, workers=2, qualities=[[1.0, 0.0], [0.0, 1.0]])
    plan = plan_of(problem)
    assert counts(plan) == {("main", ("large",)): 1, ("main", ("small",)): 1}
    assert plan.expected_quality == pytest.approx(1.0)
    one = replace(problem.pools[0], workers=1)
    assert plan_of(replace(problem, pools=(one,))).expected_quality == pytest.approx(0.5, abs=1e-3)
