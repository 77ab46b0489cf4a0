import time
from collections import Counter

import pytest

from argus_core.policies.aligner import align
from argus_core.policies.health import Health
from argus_core.policies.paper import TOLERANCE, Paper, preferred
from argus_core.policies.policy import Prompt
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Outage, Store
from policies_support import floor_of, plateau, started
from simulator_support import prompts, scenario

STARTS = range(1, 6)
"""Levels that need a start; 0 is whole, 6 and 7 are smaller models."""


def fetches(policy, *, count, found=True, seconds=0.05):
    for _ in range(count):
        policy.fetched(1, seconds, found, 0.0)


def turn(policy, setting, crew, *, now):
    """One turn of the control loop under the plateau's load."""
    policy.observed.count = round(setting.rate * 10)
    return policy.tick(crew, floor_of(policy, setting, crew, now=now)) or crew


def posted(duties):
    return {duty.levels[0] for duty in duties}


# Preferred levels


def test_the_cheapest_level_as_good_as_the_best_is_preferred():
    qualities = (1.0, 0.995, 0.7)
    assert preferred(qualities, (0, 1, 2)) == 1
    assert preferred(qualities, (0, 2)) == 0
    assert preferred((0.9, 0.9, 0.9 - 0.9 * TOLERANCE), (0, 1, 2)) == 2


def test_prompts_are_placed_by_the_aligner_s_table():
    # Half prefer small, which gets three quarters of the load: half of the others must move.
    easy, hard = Prompt((1.0, 1.0)), Prompt((1.0, 0.5))
    given = scenario(
        [i / 2 for i in range(120)],
        workers=("h100",) * 4,
        deadline=20.0,
        prompts=prompts([easy.qualities, hard.qualities]),
    )
    policy = Paper()
    setting, duties, floor = started(policy, given)
    assert Counter(duty.levels for duty in duties) == {(0,): 2, (1,): 2}
    alternate = [easy, hard] * 1000
    for prompt in alternate[:400]:
        policy.place(prompt, 20.0, floor)
    floor.now, policy.observed.count = 10.0, 20
    assert policy.tick(duties, floor) is None
    placed = Counter((prompt, policy.place(prompt, 20.0, floor)) for prompt in alternate)
    table = align([0.5, 0.5], [2 * 0.25, 1.5])
    assert placed[easy, 1] == 1000
    assert placed[hard, 0] == pytest.approx(1000 * table[0][0], abs=20)
    assert table[0][0] == pytest.approx(0.5)


# Switch of strategy


def test_the_store_is_given_up_when_fetches_fail_or_slow_and_trusted_after_three_good_ones():
    for bad in ({"seconds": 0.05, "found": False}, {"seconds": 0.4, "found": True}):
        health = Health(bearable=0.2)
        for _ in range(6):
            health.heard(**bad)
        assert health.well
        health.heard(**bad)
        assert not health.well
        health.heard(0.05, found=True)
        health.heard(0.05, found=True)
        assert not health.well
        health.heard(0.05, found=True)
        assert health.well


def test_now_and_then_a_bad_fetch_changes_nothing():
    health = Health(bearable=0.2)
    for i in range(300):
        health.heard(0.05, found=bool(i % 4))
    assert health.well


def test_while_the_store_is_well_steps_are_skipped_and_no_smaller_model_serves():
    _, duties, _ = started(Paper(), plateau(smaller=True))
    assert posted(duties) <= {0, *STARTS}
    assert posted(duties) & set(STARTS)


def test_beyond_what_skipping_steps_carries_smaller_models_serve_too():
    _, duties, _ = started(Paper(), plateau(smaller=True, rate=700))
    assert posted(duties) & {6, 7}


def test_when_fetches_fail_only_levels_without_a_start_serve_and_one_worker_can_try_again():
    policy = Paper()
    setting, duties, _ = started(policy, plateau(smaller=True))
    fetches(policy, count=7, found=False)
    duties = turn(policy, setting, duties, now=10.0)
    assert posted(duties) <= {0, 6, 7}
    assert posted(duties) & {6, 7}
    assert any(duty.levels == (0, 1) for duty in duties)


def test_prompts_are_not_placed_at_the_level_that_is_only_tried():
    policy = Paper()
    setting, duties, _ = started(policy, plateau(smaller=True))
    fetches(policy, count=7, found=False)
    duties = turn(policy, setting, duties, now=10.0)
    floor = floor_of(policy, setting, duties, now=10.0)
    placed = {policy.place(p, setting.deadline, floor) for p in setting.sample}
    assert placed <= posted(duties)


def test_the_store_is_tried_every_ten_seconds_and_trusted_again():
    policy = Paper()
    setting, duties, _ = started(policy, plateau(smaller=True))
    fetches(policy, count=7, found=False)
    duties = turn(policy, setting, duties, now=10.0)
    able = next(i for i, duty in enumerate(duties) if len(duty.levels) == 2)
    tried = []
    for now in range(10, 41):
        floor = floor_of(policy, setting, duties, now=float(now))
        floor.worker = able
        if policy.bind(setting.sample[0], 0, setting.deadline, duties[able], floor) == 1:
            tried.append(now)
    assert tried == [10, 20, 30, 40]
    fetches(policy, count=3)
    duties = turn(policy, setting, duties, now=50.0)
    assert posted(duties) <= {0, *STARTS}
    assert all(len(duty.levels) == 1 for duty in duties)


def test_a_request_with_little_time_left_is_not_tried_with_at_first():
    policy = Paper()
    setting, duties, _ = started(policy, plateau(smaller=True))
    fetches(policy, count=7, found=False)
    duties = turn(policy, setting, duties, now=10.0)
    able = next(i for i, duty in enumerate(duties) if len(duty.levels) == 2)
    scarce = 1.1 * setting.seconds(0, "h100")
    drawn = []
    for now in (12.0, 20.0):
        floor = floor_of(policy, setting, duties, now=now)
        floor.worker = able
        drawn.append(policy.bind(setting.sample[0], 0, scarce, duties[able], floor))
    assert drawn == [0, 1]


def test_in_a_run_the_strategy_changes_with_the_store_and_back():
    down, up = 120.0, 300.0
    given = plateau(
        smaller=True, rate=300, minutes=12, store=Store(outages=(Outage(start=down, end=up),))
    )
    outcome = simulate(given, Paper(), clock=time.perf_counter)
    arrived = given.arrivals
    started_at_start = (outcome.level >= 1) & (outcome.level <= 5)
    smaller = outcome.level >= 6
    healthy, lacking = arrived < down - 10, (arrived > down + 120) & (arrived < up - 10)
    after = arrived > up + 240
    assert started_at_start[healthy].any()
    assert not smaller[healthy].any()
    assert smaller[lacking].mean() > 0.2
    assert not started_at_start[lacking].any()
    assert started_at_start[after].any()
    assert not smaller[after].any()


def test_without_levels_that_need_a_start_there_is_nothing_to_switch():
    policy = Paper()
    setting, duties, floor = started(policy, scenario(workers=("h100",) * 2))
    fetches(policy, count=20, found=False)
    floor.now = 10.0
    policy.observed.count = round(setting.rate * 10)
    assert policy.tick(duties, floor) is None
