from contextlib import suppress
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.simulator.check import require_valid
from argus_core.simulator.scenario import Loss, Outage, Store
from simulator_support import level, prompts, scenario

SCENARIO = scenario([0.0, 1.0, 2.0])
LARGE, SMALL = SCENARIO.levels


def ladder(first):
    return {"levels": (first, SMALL)}


def store(**changes):
    return {"store": replace(Store(), **changes)}


def told(**changes):
    return {"prompts": replace(SCENARIO.prompts, **changes)}


WRONG = [
    ("levels", {"levels": ()}),
    ("levels", {"levels": (LARGE, LARGE)}),
    ("levels[large].seconds", ladder(level("large", {}))),
    ("levels[large].seconds", ladder(level("large", {"a100": 1.0}))),
    ("levels[large].seconds[h100]", ladder(level("large", 0.0))),
    ("levels[large].seconds[h100]", ladder(level("large", -1.0))),
    ("levels[large].seconds[h100]", ladder(level("large", nan))),
    ("levels[large].seconds[h100]", ladder(level("large", inf))),
    ("levels[large].batches", ladder(level("large", 1, batches=()))),
    ("levels[large].batches", ladder(level("large", 1, batches=(0.9,)))),
    ("levels[large].batches", ladder(level("large", 1, batches=(1.0, 0.9)))),
    ("levels[large].batches", ladder(level("large", 1, batches=(1.0, 2.1)))),
    ("levels[large].batches", ladder(level("large", 1, batches=(1.0, nan)))),
    ("levels[large].needs_start", ladder(level("large", 1, needs_start=True))),
    ("workers", {"workers": ()}),
    ("workers", {"workers": ("h100", "abacus")}),
    ("deadline", {"deadline": 0.0}),
    ("deadline", {"deadline": nan}),
    ("target", {"target": 1.0}),
    ("shed_loss", {"shed_loss": 1.0}),
    ("shed_loss", {"shed_loss": nan}),
    ("shed_loss", {"shed_loss": 2e4}),
    ("target", {"target": nan}),
    ("arrivals", {"arrivals": np.array([])}),
    ("arrivals", {"arrivals": np.array(1.0)}),
    ("arrivals", {"arrivals": np.array([0.0, nan, 1.0])}),
    ("arrivals", {"arrivals": np.array([-1.0, 0.0, 1.0])}),
    ("arrivals", {"arrivals": np.array([0.0, 1.0, inf])}),
    ("arrivals", {"arrivals": np.array([0.0, 2.0, 1.0])}),
    ("prompt_of", {"prompt_of": np.array([0, 0])}),
    ("prompt_of", {"prompt_of": np.array([0, 0, 1])}),
    ("prompt_of", {"prompt_of": np.array([0, 0, -1])}),
    ("prompt_of", {"prompt_of": np.array([0.0, 0.0, 0.0])}),
    ("prompts.truth", {"prompts": prompts(np.ones((0, 2)))}),
    ("prompts.truth", {"prompts": prompts([[1.0]])}),
    ("prompts.truth", {"prompts": prompts([1.0, 1.0])}),
    ("prompts.truth", {"prompts": prompts(1.0)}),
    ("prompts.truth", {"prompts": prompts([[1.0, nan]])}),
    ("prompts.truth", {"prompts": prompts([[1.1, 1.0]])}),
    ("prompts.predicted", told(predicted=np.ones((1, 3)))),
    ("prompts.predicted", told(predicted=np.array([[1.0, -0.1]]))),
    ("prompts.similarity", told(similarity=np.ones(2))),
    ("prompts.similarity", told(similarity=np.array([nan]))),
    ("prompts.confidence[2]", told(confidence={2: np.ones(1)})),
    ("prompts.confidence[1]", told(confidence={1: np.ones(2)})),
    ("prompts.confidence[1]", told(confidence={1: np.array([1.1])})),
    ("variation", {"variation": -0.1}),
    ("variation", {"variation": nan}),
    ("switch_seconds[tiny]", {"switch_seconds": {"tiny": 1.0}}),
    ("switch_seconds[large]", {"switch_seconds": {"large": -1.0}}),
    ("switching_share", {"switching_share": 1.1}),
    ("switching_share", {"switching_share": nan}),
    ("store.fetch_seconds", store(fetch_seconds=-1.0)),
    ("store.timeout", store(timeout=nan)),
    ("store.outages[0].start", store(outages=(Outage(start=-1.0, end=1.0),))),
    ("store.outages[0].end", store(outages=(Outage(start=1.0, end=1.0),))),
    ("store.outages[0].slowdown", store(outages=(Outage(start=0.0, end=1.0, slowdown=0.5),))),
    ("interval", {"interval": 0.0}),
    ("interval", {"interval": nan}),
    ("interval", {"interval": 1e-8}),
    ("delay", {"delay": -1.0}),
    ("losses[0].worker", {"losses": (Loss(worker=1, start=0.0, end=1.0),)}),
    ("losses[0].worker", {"losses": (Loss(worker=-1, start=0.0, end=1.0),)}),
    ("losses[0].end", {"losses": (Loss(worker=0, start=1.0, end=0.5),)}),
    ("losses[0].start", {"losses": (Loss(worker=0, start=nan, end=0.5),)}),
    ("losses[0]", {"losses": (Loss(worker=0, start=2.0, end=3.0),
                              Loss(worker=0, start=1.0, end=2.5))}),
    ("retries", {"retries": -1}),
    ("retries", {"retries": 1.5}),
    ("seed", {"seed": -1}),
]  # fmt: skip


def test_a_good_scenario_passes():
    started = level("large", 2, variant="small", needs_start=True, batches=(1.0, 1.5))
    require_valid(SCENARIO)
    require_valid(
        scenario(
            [0.0, 0.0],
            levels=(started, SMALL),
            prompts=prompts([[1.0, 0.5]], similarity=np.array([0.9]), confidence={0: np.ones(1)}),
            losses=(Loss(worker=0, start=1.0, end=2.0), Loss(worker=0, start=2.0, end=3.0)),
            store=Store(outages=(Outage(start=0.0, end=1.0),)),
        )
    )


@pytest.mark.parametrize(("field", "changes"), WRONG)
def test_invalid_input_is_refused_by_name(field, changes):
    with pytest.raises(InvalidRequest) as refused:
        require_valid(replace(SCENARIO, **changes))
    assert field in {violation.field for violation in refused.value.violations}


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(InvalidRequest) as refused:
        require_valid(replace(SCENARIO, deadline=nan, delay=-1.0, workers=()))
    assert {"deadline", "delay", "workers"} <= {v.field for v in refused.value.violations}


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=None)
@given(st.lists(numbers, max_size=4), numbers, numbers, numbers)
def test_odd_numbers_never_crash_the_check(arrivals, seconds, deadline, interval):
    odd = scenario(
        arrivals,
        levels=(level("large", seconds), SMALL),
        deadline=deadline,
        interval=interval,
    )
    with suppress(InvalidRequest):
        require_valid(odd)
