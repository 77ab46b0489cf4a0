from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.planning.problem import Holding, LevelProfile, Limits
from planning_support import plan_of, two_levels

PROBLEM = two_levels()
POOL = PROBLEM.pools[0]
LARGE = PROBLEM.levels[0]


def pool(**changes):
    return {"pools": (replace(POOL, **changes),)}


def level(**changes):
    return {"levels": (replace(LARGE, **changes), PROBLEM.levels[1])}


def rules(**changes):
    return {"rules": replace(PROBLEM.rules, **changes)}


def held(**changes):
    holding = {"pool": "main", "loadout": ("large",), "workers": 1, **changes}
    return {"standing": (Holding(**holding),)}


WRONG = [
    ("rate", {"rate": nan}),
    ("rate", {"rate": -1.0}),
    ("rate", {"rate": inf}),
    ("burstiness", {"burstiness": nan}),
    ("service_variation", {"service_variation": -1.0}),
    ("load_age", {"load_age": nan}),
    ("qualities[1]", {"qualities": [[1.0, 0.5], [1.0]]}),
    ("qualities[0]", {"qualities": [[1.0, nan]]}),
    ("qualities[0]", {"qualities": [[1.0, 1.1]]}),
    ("levels", {"levels": ()}),
    ("levels", {"levels": (LARGE, LARGE)}),
    ("levels[large-20].seconds", level(seconds={})),
    ("levels[large-20].seconds[h100]", level(seconds={"h100": 0.0})),
    ("levels[large-20].seconds[h100]", level(seconds={"h100": nan})),
    ("pools", {"pools": ()}),
    ("pools", {"pools": (POOL, POOL)}),
    ("pools[main].workers", pool(workers=-1)),
    ("pools[main].workers", pool(workers=1.5)),
    ("pools[main].unavailable", pool(unavailable=11)),
    ("pools[main].loadouts", pool(loadouts=())),
    ("pools[main].loadouts", pool(loadouts=((),))),
    ("pools[main].loadouts", pool(loadouts=(("tiny",),))),
    ("pools[main].loadouts", pool(loadouts=(("large", "large"),))),
    ("pools[main].pinned", pool(pinned={("large",): 6, ("small",): 6})),
    ("pools[main].pinned[large]", pool(pinned={("large",): -1})),
    ("switch_seconds[large]", {"switch_seconds": {"large": -1.0}}),
    ("switch_seconds[tiny]", {"switch_seconds": {"tiny": 1.0}}),
    ("limits[tiny]", {"limits": {"tiny": Limits()}}),
    ("limits[large].minimum", {"limits": {"large": Limits(minimum=3, maximum=2)}}),
    ("limits[large].maximum", {"limits": {"large": Limits(maximum=-1)}}),
    ("standing[0].pool", held(pool="other")),
    ("standing[0].loadout", held(loadout=("tiny",))),
    ("standing[0].workers", held(workers=-1)),
    ("standing", held(workers=11)),
    ("rules.deadline", rules(deadline=0.0)),
    ("rules.target", rules(target=1.0)),
    ("rules.horizon", rules(horizon=nan)),
    ("rules.shed_loss", rules(shed_loss=0.5)),
    ("rules.shed_loss", rules(shed_loss=inf)),
    ("rules.gap", rules(gap=-1.0)),
    ("rules.time_limit", rules(time_limit=nan)),
]


@pytest.mark.parametrize(("field", "changes"), WRONG)
def test_invalid_input_is_refused_by_name(field, changes):
    with pytest.raises(InvalidRequest) as refused:
        plan_of(replace(PROBLEM, **changes))
    assert field in {violation.field for violation in refused.value.violations}


def test_a_maximum_below_what_is_pinned_is_refused():
    changes = {**pool(pinned={("large",): 3}), "limits": {"large": Limits(maximum=2)}}
    with pytest.raises(InvalidRequest, match="3 workers are pinned"):
        plan_of(replace(PROBLEM, **changes))


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(InvalidRequest) as refused:
        plan_of(replace(PROBLEM, rate=nan, burstiness=-1.0))
    assert len(refused.value.violations) == 2


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1e-300, 1e9])


@settings(deadline=None, max_examples=150)
@given(numbers, numbers, numbers, numbers, numbers)
def test_odd_numbers_are_planned_or_refused_and_never_crash(rate, fast, slow, deadline, quality):
    problem = replace(
        PROBLEM,
        rate=rate,
        levels=(
            LevelProfile(name="a", variant="large", seconds={"h100": slow}),
            LevelProfile(name="b", variant="small", seconds={"h100": fast}),
        ),
        qualities=[[quality, 0.5]],
        rules=replace(PROBLEM.rules, deadline=deadline),
    )
    try:
        plan = plan_of(problem)
    except InvalidRequest:
        return
    assert 0 <= plan.expected_quality <= 1
    assert 0 <= plan.expected_shed <= 1
