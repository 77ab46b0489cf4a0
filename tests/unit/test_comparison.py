import time
from functools import partial

import numpy as np
import pytest

from argus_cli.simulate import comparison as module
from argus_cli.simulate.comparison import compare
from argus_cli.simulate.scenario import scenario_of
from argus_core.errors import InvalidRequest
from argus_core.policies.argus import Argus, Ideas
from argus_core.policies.registry import POLICIES
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Loss
from argus_core.simulator.summary import summarise
from simulate_support import compared, outline
from simulator_support import Fixed, prompts, scenario

LIKE = ("requests", "in_time", "quality", "latency_p99", "switches")


def figures(run):
    return [getattr(run.summary, field) for field in LIKE]


def flat(seed, **changes):
    """A request a second; seed by seed the prompts differ."""
    quality = 0.5 + seed / 10
    return scenario(np.arange(20.0), prompts=prompts([[1.0, quality]]), seed=seed, **changes)


def fixed(**levels):
    return {name: partial(Fixed, level) for name, level in levels.items()}


def test_every_run_is_what_it_would_be_alone():
    found = compared("argus", "clipper-ha", seeds=(0, 5))
    for run in found.runs:
        given = scenario_of(outline(), run.seed)
        alone = summarise(given, simulate(given, POLICIES[run.policy](), clock=time.perf_counter))
        assert figures(run) == [getattr(alone, field) for field in LIKE]
        assert run.summary.policy == run.series.policy == run.policy


def test_runs_come_by_policy_in_the_order_given_then_by_seed():
    found = compare(flat, fixed(small=1, large=0), (3, 1))
    assert [(run.policy, run.seed) for run in found.runs] == [
        ("small", 3), ("small", 1), ("large", 3), ("large", 1),
    ]  # fmt: skip
    assert [run.summary.quality for run in found.of("small")] == pytest.approx([0.8, 0.6])
    assert found.policies == ("small", "large")


def test_all_policies_meet_the_same_arrivals():
    found = compared("paper", "clipper-ha", "clipper-ht")
    for seed in found.seeds:
        loads = [run.series.load.tolist() for run in found.runs if run.seed == seed]
        assert all(load == loads[0] for load in loads)


def test_a_scenario_is_made_once_for_all_policies_of_a_seed():
    made = []

    def make(seed):
        made.append(seed)
        return flat(seed)

    compare(make, fixed(small=1, large=0), (1, 2))
    assert made == [1, 1, 2]  # the first time to see whether all can work


def test_any_number_of_processes_gives_the_same():
    told = []
    alone = compared("proteus", "clipper-ha", seeds=(0, 1, 2), bound=True)
    spread = compared(
        "proteus", "clipper-ha", seeds=(0, 1, 2), bound=True, jobs=2,
        told=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    assert [figures(run) for run in spread.runs] == [figures(run) for run in alone.runs]
    assert spread.bounds == alone.bounds
    assert told == [(done, 9) for done in range(10)]


def test_policies_that_cannot_work_here_are_told_with_the_reason():
    found = compared("nirvana", "clipper-ht", "diffserve", seeds=(0,))
    assert found.policies == ("clipper-ht",)
    assert list(found.unable) == ["nirvana", "diffserve"]
    assert "begins from a cached latent" in found.unable["nirvana"]


def test_where_none_can_work_that_is_the_error():
    with pytest.raises(InvalidRequest, match=r"--policies: none can work here: nirvana needs"):
        compared("nirvana", seeds=(0,))


def test_a_policy_s_own_defects_are_no_reason_to_leave_it_out():
    def make(seed):
        return flat(seed, losses=(Loss(worker=7, start=0.0, end=1.0),))

    with pytest.raises(InvalidRequest, match=r"losses\[0\].worker"):
        compare(make, fixed(large=0), (0,))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_a_later_seed_arrives_from_any_process(jobs):
    with pytest.raises(InvalidRequest, match="--seed: must be 0 or more") as refused:
        compared("clipper-ht", seeds=(0, -1), jobs=jobs)
    assert refused.value.violations[0].field == "--seed"


def test_no_policy_beats_the_bound():
    found = compared("argus", "proteus", "clipper-ha", bound=True, changes={"rate": 30.0})
    assert len(found.bounds) == 2
    for run in found.runs:
        assert run.summary.value <= found.bounds[run.seed] + 1e-9


def test_the_bound_is_refused_where_it_says_nothing():
    with pytest.raises(InvalidRequest, match="bound: says nothing"):
        compare(flat, fixed(large=0), (0,), bound=True, within=[(0.0, 5.0)])
    with pytest.raises(InvalidRequest, match="bound: says nothing"):
        compare(partial(flat, retries=1), fixed(large=0), (0,), bound=True)


def test_only_what_comes_within_the_stretches_counts():
    found = compare(flat, fixed(large=0), (0,), within=[(5.0, 10.0)])
    assert found.runs[0].summary.requests == 5


def test_policies_may_be_made_by_the_caller():
    without = partial(Argus, name="plain", ideas=Ideas(prices=False, backlog=False))
    make = partial(scenario_of, outline())
    found = compare(make, {"argus": Argus, "argus-unpriced": without}, (0,))
    assert [run.policy for run in found.runs] == ["argus", "argus-unpriced"]


@pytest.mark.parametrize(
    ("requests", "until", "bucket"), [(10_000, 990.0, 10.0), (90, 990.0, 600.0), (1, 0.0, 1.0)]
)
def test_a_series_has_about_a_hundred_buckets_or_as_few_as_have_enough_requests(
    requests, until, bucket
):
    given = scenario(np.linspace(0, until, requests) if requests > 1 else [until])
    assert module.one(given, "fixed", Fixed()).series.bucket == bucket
