from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from argus_core.planning.program import canonical, compile_problem
from planning_support import TIE, best_by_brute_force, plan_of, problems, scaled, score_of

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)


def workers(plan, *, pool=None, variant=None):
    return sum(
        a.workers
        for a in plan.allocations
        if pool in (None, a.pool) and (variant is None or variant in a.loadout)
    )


@relaxed
@given(problems())
def test_no_pool_exceeds_what_is_available(problem):
    plan = plan_of(problem)
    for pool in problem.pools:
        assert workers(plan, pool=pool.name) <= pool.available


@relaxed
@given(problems())
def test_maximums_hold_and_minimums_as_far_as_said(problem):
    plan = plan_of(problem)
    for variant, limits in problem.limits.items():
        held = workers(plan, variant=variant)
        assert limits.maximum is None or held <= limits.maximum
        assert (
            held >= limits.minimum or f"{variant} is {limits.minimum - held} below" in plan.reason
        )


@relaxed
@given(problems())
def test_pinned_workers_stay(problem):
    assume(all(pool.unavailable == 0 for pool in problem.pools))
    plan = plan_of(problem)
    held = {(a.pool, a.loadout): a.workers for a in plan.allocations}
    for pool in problem.pools:
        for loadout, pinned in pool.pinned.items():
            assert held.get((pool.name, canonical(problem, loadout)), 0) >= pinned


@relaxed
@given(problems())
def test_every_request_is_served_once_or_shed(problem):
    plan = plan_of(problem)
    shares = [serving.share for serving in plan.mix]
    assert all(share >= 0 for share in shares)
    assert sum(shares) + plan.expected_shed == pytest.approx(1, abs=1e-6)
    assert 0 <= plan.expected_quality <= 1


@relaxed
@given(problems())
def test_no_allocation_is_busier_than_the_slo_bears(problem):
    plan, program = plan_of(problem), compile_problem(problem)
    names = [level.name for level in problem.levels]
    for allocation in plan.allocations:
        mine = [s for s in plan.mix if (s.pool, s.loadout) == (allocation.pool, allocation.loadout)]
        pool = [p.name for p in problem.pools].index(allocation.pool)
        bounds = [program.bound[names.index(s.level), pool] for s in mine]
        assert allocation.utilisation <= max(bounds, default=0) + 1e-6
        assert allocation.price >= 0


@relaxed
@given(problems())
def test_a_level_slower_than_the_deadline_serves_nobody(problem):
    types = {pool.name: pool.gpu_type for pool in problem.pools}
    seconds = {level.name: level.seconds for level in problem.levels}
    for serving in plan_of(problem).mix:
        assert seconds[serving.level][types[serving.pool]] <= problem.rules.deadline


@relaxed
@given(problems(bursts=False), st.floats(1, 4))
def test_a_higher_load_never_raises_the_mean_planned_quality(problem, factor):
    higher = replace(problem, rate=problem.rate * factor)
    low, high = plan_of(problem), plan_of(higher)
    assume("below its minimum" not in low.reason + high.reason)
    assert high.value <= low.value + TIE
    if not low.expected_shed and not high.expected_shed:
        assert high.expected_quality <= low.expected_quality + TIE


@relaxed
@given(problems(), st.sampled_from([1 / 3600, 1 / 60, 0.3, 1000.0]))
def test_scaling_the_time_unit_changes_nothing(problem, factor):
    plan, other = plan_of(problem), plan_of(scaled(problem, factor))
    assert other.value == pytest.approx(plan.value, abs=TIE)
    assert other.expected_shed == pytest.approx(plan.expected_shed, abs=TIE)


@relaxed
@given(problems())
def test_the_same_problem_gives_the_same_plan(problem):
    assert plan_of(problem) == plan_of(problem)


@settings(relaxed, max_examples=200)
@given(problems(workers=3))
def test_no_whole_number_of_workers_does_better(problem):
    plan = plan_of(problem)
    assert score_of(problem, plan) == pytest.approx(best_by_brute_force(problem), abs=TIE)
    assert plan.gap < TIE


@relaxed
@given(problems())
def test_a_plan_once_carried_out_is_kept_or_bettered(problem):
    first = plan_of(problem)
    standing = tuple(
        replace(problem.standing[0], pool=a.pool, loadout=a.loadout, workers=a.workers)
        for a in first.allocations
    ) if problem.standing else ()  # fmt: skip
    assume(standing)
    rules = replace(problem.rules, minimum_gain=0.05)
    again = plan_of(replace(problem, standing=standing, rules=rules))
    assert again.value >= first.value - TIE
