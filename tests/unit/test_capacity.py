"""How many workers a load needs, held to every size planned one by one."""

import time
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from argus_cli.simulate.capacity import AROUND, MOST, SHED, SLACK, capacity
from argus_core.errors import InvalidRequest
from argus_core.planning.decide import decide
from argus_core.planning.problem import PlanProblem, PoolBudget, Rules
from simulator_support import level

LOADOUTS = (("large",), ("small",))


def problem(*, rate=5.0, deadline=60.0, pools=(("main", 1),), qualities=((1.0, 0.8),)):
    """`large` (4 s, quality 1) and `small` (1 s, 0.8) unless told otherwise."""
    return PlanProblem(
        rules=Rules(deadline=deadline, time_limit=2.0),
        levels=(level("large", 4), level("small", 1)),
        pools=tuple(
            PoolBudget(name=name, gpu_type="h100", workers=workers, loadouts=LOADOUTS)
            for name, workers in pools
        ),
        qualities=qualities,
        rate=rate,
    )


def answer(given_problem, quality, **more):
    return capacity(given_problem, "main", quality=quality, clock=time.perf_counter, **more)


def reaches(given_problem, workers, quality):
    """Whether a plan that all but forbids shedding sheds nothing and has the quality."""
    pools = tuple(replace(p, workers=workers) for p in given_problem.pools)
    rules = replace(given_problem.rules, shed_loss=1e4)
    plan = decide(replace(given_problem, pools=pools, rules=rules), clock=time.perf_counter)
    return plan.expected_shed <= SHED and plan.expected_quality >= quality - SLACK


@settings(deadline=None, max_examples=15)
@example(rate=5.65625, quality=0.0, deadline=5.0, spread=[0.5])
@given(
    rate=st.floats(0.2, 12),
    quality=st.sampled_from([0.0, 0.7, 0.85, 0.95, 1.0]),
    deadline=st.sampled_from([5.0, 8.0, 60.0]),
    spread=st.lists(st.floats(0.5, 1), min_size=1, max_size=5),
)
def test_the_size_found_reaches_the_quality_and_one_fewer_does_not(rate, quality, deadline, spread):
    asked = problem(rate=rate, deadline=deadline, qualities=tuple((1.0, q) for q in spread))
    smallest = answer(asked, quality).smallest
    assert reaches(asked, smallest, quality)
    assert smallest == 1 or not reaches(asked, smallest - 1, quality)


def test_a_quality_between_two_levels_takes_a_blend_of_both():
    # Half of five a second at 4 s and half at 1 s fill 12.5 workers. Where 20 hold `large` alone,
    # one request in 2,000 would be shed, and a control loop would think that worth it.
    found = answer(problem(deadline=1000.0), 0.9)
    assert found.smallest == 13
    assert {a.loadout for a in found.of(13).plan.allocations} == set(LOADOUTS)
    assert answer(problem(deadline=1000.0), 0.975).smallest == 19


def test_neighbours_of_the_size_found_are_told_and_those_of_the_size_asked_for():
    found = answer(problem(), 0.9, workers=30)
    around = range(found.smallest - AROUND, found.smallest + AROUND + 1)
    assert [size.workers for size in found.sizes] == [*around, 29, 30, 31]
    assert [size.reaches for size in found.sizes] == [False] * AROUND + [True] * (AROUND + 4)
    assert found.of(28) is None


def test_more_than_the_best_levels_in_time_can_give_is_no_number_of_workers():
    found = answer(problem(deadline=3.0, qualities=((1.0, 0.8), (1.0, 0.7))), 0.9)
    assert found.smallest is None
    assert found.ceiling == pytest.approx(0.75)
    assert found.slow == ("large",)
    assert any(not size.plan.expected_shed for size in found.sizes)


def test_a_deadline_shorter_than_every_level_leaves_nothing_in_reach():
    found = answer(problem(deadline=0.5), 0.5)
    assert (found.smallest, found.ceiling, found.slow) == (None, 0.0, ("large", "small"))
    assert all(size.plan.expected_shed == 1 for size in found.sizes)


def test_a_load_beyond_the_largest_pool_shows_what_the_largest_would_do():
    found = answer(problem(rate=1e6), 0.9)
    assert found.smallest is None
    assert found.sizes[-1].workers == MOST
    assert 0 < found.sizes[-1].plan.expected_shed < 1


def test_other_pools_keep_their_size_and_do_their_share():
    alone = answer(problem(), 1.0).smallest
    helped = answer(problem(pools=(("main", 1), ("other", 8))), 1.0)
    assert helped.smallest == alone - 8
    others = [a for a in helped.of(helped.smallest).plan.allocations if a.pool == "other"]
    assert sum(a.workers for a in others) == 8


def test_what_is_wrong_with_the_problem_is_named():
    with pytest.raises(InvalidRequest, match="rate"):
        answer(problem(rate=-1.0), 0.9)
