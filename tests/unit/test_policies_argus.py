"""Argus's own policy in the simulator: what it promises of every prompt, and how it reacts."""

import time
from math import inf

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from argus_core.policies.argus import Argus, Ideas
from argus_core.policies.policy import REFUSE, Prompt
from argus_core.pricing import SHED_LOSS
from argus_core.simulator.engine import simulate
from argus_core.simulator.outcome import State
from argus_core.simulator.scenario import Loss, Outage, Store
from argus_core.simulator.summary import summarise
from policies_support import plateau, started
from simulator_support import scenarios

IDEAS = [Ideas(), *(Ideas(**{name: False}) for name in ("prices", "backlog", "looks", "late"))]


def run(given_scenario, policy=None):
    return simulate(given_scenario, policy or Argus(), clock=time.perf_counter)


class Checked(Argus):
    """Fails where a prompt is placed that is expected to be late however quickly all are drawn."""

    def place(self, prompt, remaining, floor):
        level = super().place(prompt, remaining, floor)
        if level != REFUSE:
            queue = self.queue_of[level]
            assert floor.servers[queue] > 0
            alone, costs = self._seconds(floor)
            served = [i for i in self._levels if self.queue_of[i] == queue and alone[i] < inf]
            least = min(costs[i] for i in served)
            under_way = floor.ends[queue] - floor.busy[queue] * floor.now
            ahead = (floor.waiting[queue] * max(least, costs[level]) + under_way) / (
                floor.servers[queue]
            )
            soonest = min(floor.wait(queue), ahead)
            assert soonest + alone[level] <= remaining + 1e-6
        return level

    def bind(self, prompt, level, remaining, duty, floor):
        drawn = super().bind(prompt, level, remaining, duty, floor)
        assert drawn == REFUSE or drawn in duty.levels
        return drawn


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_each_prompt_s_level_meets_its_deadline_in_expectation_or_it_is_refused(given_scenario):
    outcome = run(given_scenario, Checked())
    if given_scenario.variation == 0 and not given_scenario.store.outages:
        assert not (outcome.state == State.LATE).any()


@pytest.mark.parametrize("ideas", IDEAS, ids=str)
@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_any_idea_may_be_left_out(ideas, given_scenario):
    outcome = run(given_scenario, Argus(ideas=ideas))
    assert len(outcome.state) == len(given_scenario.arrivals)


def test_a_backlog_moves_prompts_down_the_ladder_at_once():
    given_scenario = plateau(rate=300)
    policy = Argus()
    _, _, floor = started(policy, given_scenario)
    prompt, levels = Prompt(tuple(np.linspace(1.0, 0.9, 6))), []
    for waiting in (0, 6, 12, 24):
        floor.busy[0], floor.ends[0] = 8, 8.0
        floor.waiting[0], floor.queued[0] = waiting, waiting * 1.1
        levels.append(policy.place(prompt, given_scenario.deadline, floor))
    assert levels == sorted(levels)
    assert levels[0] < levels[-1]


def test_prices_and_plans_go_by_what_the_scenario_says_that_refusing_costs():
    found = []
    for loss in (SHED_LOSS, 20.0):
        policy = Argus()
        started(policy, plateau(rate=600, shed_loss=loss))
        found.append((policy._curves[0].prices[-1], policy._steering.loop.prices[0]))
    (usual, planned), (dearer, dear) = found
    assert dearer > 5 * usual
    assert dear > 2 * planned


def test_of_two_prompts_the_one_that_loses_less_moves_first():
    given_scenario = plateau(rate=300)
    policy = Argus()
    _, _, floor = started(policy, given_scenario)
    floor.busy[0], floor.ends[0] = 8, 8.0
    floor.waiting[0], floor.queued[0] = 8, 9.0
    easy, hard = Prompt((1.0, 0.999, 0.998, 0.997, 0.996, 0.995)), Prompt(
        (1.0, 0.8, 0.7, 0.6, 0.5, 0.4)
    )  # fmt: skip
    easily, hardly = (policy.place(p, given_scenario.deadline, floor) for p in (easy, hard))
    assert easily > hardly


def drawn_with_start(given_scenario, outcome, stretch):
    """Share of the images of requests of a stretch that began from a cached latent."""
    at = (given_scenario.arrivals >= stretch[0]) & (given_scenario.arrivals < stretch[1])
    at &= outcome.level >= 0
    needs = np.array([level.needs_start for level in given_scenario.levels])
    return needs[outcome.level[at]].mean()


def test_levels_with_a_start_close_while_the_store_is_down_and_open_again():
    outage = Outage(start=120.0, end=240.0)
    given_scenario = plateau(rate=360, minutes=8, store=Store(outages=(outage,)))
    tries = []

    class Noting(Argus):
        def fetched(self, level, seconds, found, now):
            tries.append((now, found))
            super().fetched(level, seconds, found, now)

    outcome = run(given_scenario, Noting())
    assert drawn_with_start(given_scenario, outcome, (20.0, 110.0)) > 0.5
    assert drawn_with_start(given_scenario, outcome, (130.0, 235.0)) == 0
    assert drawn_with_start(given_scenario, outcome, (300.0, 420.0)) > 0.5
    in_vain = [now for now, found in tries if not found]
    assert 5 <= len(in_vain) <= 30


def test_a_slow_store_makes_levels_with_a_start_dear():
    def share(slowdown):
        outage = Outage(start=60.0, end=1e6, slowdown=slowdown)
        store = Store(fetch_seconds=0.05, timeout=5.0, outages=(outage,))
        given_scenario = plateau(rate=240, minutes=5, store=store)
        return drawn_with_start(given_scenario, run(given_scenario), (90.0, 300.0))

    # Skipping 25 steps saves 1.06 s, and a fetch takes 2 s then.
    assert share(40.0) == 0 < share(1.0)


def test_looking_at_prompts_and_prices_are_each_worth_something():
    given_scenario = plateau(minutes=10)

    def value(**without):
        return summarise(given_scenario, run(given_scenario, Argus(ideas=Ideas(**without)))).value

    whole = value()
    assert whole > value(looks=False)
    assert whole > value(prices=False)


def test_workers_that_are_lost_are_planned_without():
    given_scenario = plateau(rate=240, minutes=6, smaller=True)
    policy = Argus()
    _, duties, floor = started(policy, given_scenario)
    crew = [None, None, *duties[2:]]
    policy.place(Prompt((1.0,) * len(given_scenario.levels)), given_scenario.deadline, floor)
    floor.now = given_scenario.interval
    policy.tick(crew, floor)
    assert sum(a.workers for a in policy._steering.loop.plan.allocations) <= 6


def test_a_run_goes_on_though_all_workers_are_lost():
    losses = tuple(Loss(worker=w, start=60.0, end=90.0) for w in range(8))
    given_scenario = plateau(rate=240, minutes=4, losses=losses)
    outcome = run(given_scenario)
    late = given_scenario.arrivals > 100.0
    assert (outcome.state[late] == State.IN_TIME).mean() > 0.95
