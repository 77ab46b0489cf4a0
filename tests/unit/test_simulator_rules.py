"""What the simulator promises of every run, whatever the policy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.policies.policy import REFUSE
from argus_core.simulator.engine import simulate
from argus_core.simulator.luck import luck_of
from argus_core.simulator.outcome import State
from argus_core.simulator.scenario import Loss, Outage, Store
from simulator_support import (
    Dice,
    Fixed,
    level,
    one_level,
    prompts,
    scaled,
    scenario,
    scenarios,
    states,
    still,
)

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
dice = st.builds(Dice, st.integers(0, 99), refusals=st.sampled_from([0.0, 0.3]))


def run(given, policy=None):
    return simulate(given, policy or Fixed(), clock=still)


# Every request


@relaxed
@given(scenarios(), dice)
def test_each_request_ends_once_and_tells_how(given, policy):
    outcome = run(given, policy)
    assert sum(states(outcome).values()) == len(given.arrivals)
    delivered = np.isin(outcome.state, [State.IN_TIME, State.LATE])
    assert ((outcome.level >= 0) == delivered).all()
    assert (np.isfinite(outcome.finished) == delivered).all()
    timely = outcome.finished <= given.arrivals + given.deadline
    assert (timely == (outcome.state == State.IN_TIME)).all()
    assert (outcome.tries == 1).all()
    assert (outcome.first_refused == (outcome.state == State.REFUSED)).all()


@relaxed
@given(scenarios(), st.integers(0, 99))
def test_the_same_seed_gives_the_same_outcome(given, seed):
    one, other = run(given, Dice(seed)), run(given, Dice(seed))
    assert one.state.tolist() == other.state.tolist()
    assert one.level.tolist() == other.level.tolist()
    assert np.array_equal(one.finished, other.finished, equal_nan=True)
    assert one.shifts == other.shifts
    assert (one.busy_seconds, one.switching_seconds) == (
        other.busy_seconds,
        other.switching_seconds,
    )


@relaxed
@given(scenarios(), st.integers(0, 99), st.sampled_from([1 / 1024, 0.25, 8.0, 4096.0]))
def test_the_time_unit_does_not_matter(given, seed, factor):
    """Powers of two, so that rounding scales too."""
    one, other = run(given, Dice(seed)), run(scaled(given, factor), Dice(seed))
    assert one.state.tolist() == other.state.tolist()
    assert one.level.tolist() == other.level.tolist()
    assert np.array_equal(one.finished * factor, other.finished, equal_nan=True)
    assert one.switching_seconds * factor == other.switching_seconds


def test_luck_is_by_request_and_by_seed():
    arrivals = np.arange(5) * 100.0
    given = one_level(arrivals, seconds=3.0, variation=0.5)
    outcome, other = run(given), run(replace(given, seed=1))
    assert outcome.finished - arrivals == pytest.approx(3.0 * luck_of(given))
    assert (outcome.finished != other.finished).all()


def test_progress_is_told_in_rising_shares_up_to_all():
    told = []
    simulate(one_level(np.arange(20_000.0)), Fixed(), clock=still, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 2


def test_invalid_input_is_refused_by_name():
    with pytest.raises(InvalidRequest, match="deadline"):
        run(scenario(deadline=float("nan")))


# Every worker


class Noting(Dice):
    """Dice that notes each draw: when, on which worker, at which level."""

    def start(self, setting):
        self.draws = []
        return super().start(setting)

    def bind(self, prompt, level, remaining, duty, floor):
        taken = super().bind(prompt, level, remaining, duty, floor)
        if taken != REFUSE:
            assert taken in duty.levels
            self.draws.append((floor.worker, floor.now, taken))
        return taken


def alone(given):
    """The same, but for batches and starts, whose seconds are not seen from outside."""
    return replace(
        given,
        variation=0.0,
        levels=tuple(replace(le, batches=(1.0,), needs_start=False) for le in given.levels),
    )


@relaxed
@given(scenarios(), st.integers(0, 99))
def test_the_budget_is_never_exceeded(given, seed):
    """A worker draws one thing at a time, and nothing while it is lost."""
    given = alone(given)
    policy = Noting(seed)
    run(given, policy)
    for worker, gpu_type in enumerate(given.workers):
        free = 0.0
        losses = [loss for loss in given.losses if loss.worker == worker]
        for _, start, drawn in (draw for draw in policy.draws if draw[0] == worker):
            assert not any(loss.start < start < loss.end for loss in losses)
            cut = [loss.end for loss in losses if loss.start <= free and loss.end <= start]
            assert start >= free - 1e-9 or cut
            free = start + given.levels[drawn].seconds[gpu_type]


@relaxed
@given(scenarios(), st.integers(0, 99))
def test_all_gpu_time_is_accounted_for(given, seed):
    given = replace(alone(given), losses=())
    policy = Noting(seed)
    outcome = run(given, policy)
    drawn = sum(given.levels[at].seconds[given.workers[worker]] for worker, _, at in policy.draws)
    assert outcome.busy_seconds == pytest.approx(drawn)


@relaxed
@given(scenarios(), st.integers(0, 99))
def test_no_more_workers_load_at_a_time_than_may(given, seed):
    given = replace(given, losses=())
    most = max(1, int(given.switching_share * len(given.workers)))
    for shift in run(given, Dice(seed)).shifts:
        assert sum(duty is None for duty in shift.duties) <= most


@relaxed
@given(scenarios(), st.integers(0, 99))
def test_shifts_begin_at_0_and_rise(given, seed):
    times = [shift.at for shift in run(given, Dice(seed)).shifts]
    assert times[0] == 0.0
    assert times == sorted(times)


class Moves(Fixed):
    """From `large` to `small` at the first turn."""

    def tick(self, crew, floor):
        self.level = 1
        return [self.setting.post(1)] * len(crew)


def test_a_switch_takes_effect_after_the_delay_and_costs_what_it_costs():
    given = scenario(
        np.arange(0.0, 40.0, 2.0),
        interval=10.0,
        delay=1.0,
        switch_seconds={"small": 3.0},
        deadline=30.0,
    )
    outcome = run(given, Moves())
    # The worker draws from 8 to 12 when the word reaches it at 11; then it loads until 15.
    small = outcome.finished[outcome.level == 1]
    assert small.min() == pytest.approx(12 + 3 + 1)
    assert (outcome.finished[outcome.level == 0] <= 12).all()
    # The second turn asks for what is held already.
    assert (outcome.switching_seconds, outcome.switches) == (3.0, 1)


def test_a_few_load_while_the_others_serve():
    given = scenario(
        np.arange(40.0),
        workers=("h100",) * 8,
        switching_share=0.25,
        switch_seconds={"small": 3.0},
        deadline=30.0,
    )
    outcome = run(given, Moves())
    assert max(sum(d is None for d in shift.duties) for shift in outcome.shifts) == 2
    assert outcome.switches == 8
    assert outcome.switching_seconds == 24.0
    assert states(outcome) == {State.IN_TIME: 40}


# Queues


def test_who_must_be_done_first_is_drawn_first():
    # Both workers draw for 10 s; the first is lost at 1 s, and its request waits again: it came
    # before those that wait already, and so is next when the second worker is free.
    given = one_level(
        [0.0, 0.0, 0.1, 0.2],
        seconds=10.0,
        workers=2,
        deadline=100.0,
        losses=(Loss(worker=0, start=1.0, end=1000.0), Loss(worker=1, start=1001.0, end=1002.0)),
    )
    outcome = run(given)
    order = outcome.finished
    assert sorted(order) == pytest.approx([10.0, 20.0, 30.0, 40.0])
    assert max(order[0], order[1]) == pytest.approx(20.0)
    assert order[2] == pytest.approx(30.0)


def test_a_lost_workers_request_is_drawn_again_elsewhere():
    given = one_level(
        [0.0], seconds=4.0, workers=2, deadline=10.0, losses=tuple(
            Loss(worker=w, start=1.0 + w * 5.5, end=100.0 + w) for w in range(2)
        )
    )  # fmt: skip
    outcome = run(given)
    assert outcome.finished[0] in (pytest.approx(4.0), pytest.approx(5.0))
    assert states(outcome) == {State.IN_TIME: 1}


def test_a_lost_workers_request_that_nobody_can_serve_is_lost():
    class Honest(Fixed):
        def place(self, prompt, remaining, floor):
            return self.level if floor.seconds[self.level] <= remaining else REFUSE

    given = one_level([0.0], seconds=4.0, losses=(Loss(worker=0, start=1.0, end=100.0),))
    outcome = run(given, Honest())
    assert states(outcome) == {State.LOST: 1}
    assert np.isnan(outcome.finished[0])


def test_a_lost_worker_comes_back_and_loads():
    losses = (Loss(worker=0, start=1.0, end=20.0),)
    given = scenario([0.0], losses=losses, switch_seconds={"large": 5.0}, deadline=100.0)
    outcome = run(given)
    assert outcome.finished[0] == pytest.approx(20 + 5 + 4)
    assert outcome.switching_seconds == 5.0


class Impatient(Fixed):
    """Refuses whoever would wait, and says when it will be free."""

    def place(self, prompt, remaining, floor):
        return REFUSE if floor.wait(0) else self.level

    def retry_after(self, prompt, floor):
        return floor.wait(0) + 1.0


def test_who_is_refused_comes_again_when_told_to_and_no_oftener_than_he_may():
    given = one_level([0.0, 1.0], seconds=4.0, deadline=5.0, retries=1)
    outcome = run(given, Impatient())
    assert outcome.tries.tolist() == [1, 2]
    assert outcome.first_refused.tolist() == [False, True]
    assert outcome.finished.tolist() == pytest.approx([4.0, 9.0])
    never = run(replace(given, retries=0), Impatient())
    assert never.tries.tolist() == [1, 1]
    assert states(never) == {State.IN_TIME: 1, State.REFUSED: 1}


class Elsewhere(Fixed):
    """Sends everything to a level that nobody serves, and loses patience for it."""

    def start(self, setting):
        duties = super().start(setting)
        self.queue_of, self.turns, self.level = (0, 1), 0, 1
        return duties

    def tick(self, crew, floor):
        self.turns += 1
        assert self.turns < 1000, "the run goes on for ever"


def test_a_run_ends_though_a_request_waits_for_nobody():
    outcome = run(scenario([0.0, 1.0]), Elsewhere())
    assert states(outcome) == {State.DROPPED: 2}


# Batches


def batched(batches, count=5, deadline=100.0):
    return scenario(
        [0.0] * count,
        levels=(level("only", 4.0, batches=batches),),
        prompts=prompts([[1.0]]),
        deadline=deadline,
    )


@pytest.mark.parametrize("batches", [(1.0,), (1.0, 2.0), (1.0, 2.0, 3.0)])
def test_a_batch_that_gains_nothing_is_not_made(batches):
    outcome = run(batched(batches))
    assert outcome.finished == pytest.approx([4.0, 8.0, 12.0, 16.0, 20.0])


def test_a_batch_that_gains_is_made_of_those_that_wait():
    # The first is alone when it comes; then there are two pairs.
    outcome = run(batched((1.0, 1.5)))
    assert outcome.finished == pytest.approx([4.0, 10.0, 10.0, 16.0, 16.0])
    assert outcome.busy_seconds == pytest.approx(16.0)


def test_a_batch_is_no_larger_than_what_still_gains():
    outcome = run(batched((1.0, 1.5, 2.5)))
    assert outcome.finished == pytest.approx([4.0, 10.0, 10.0, 16.0, 16.0])


def test_a_batch_is_not_made_where_it_would_be_late():
    outcome = run(batched((1.0, 1.5), count=3, deadline=9.9))
    assert outcome.finished[:2] == pytest.approx([4.0, 8.0])
    assert states(outcome) == {State.IN_TIME: 2, State.DROPPED: 1}


# The latent store


def started(store):
    """A request every 20 s, at a level of 2 s that skips half of `whole`."""
    return scenario(
        np.arange(5) * 20.0,
        levels=(
            level("whole", 4.0, variant="v"),
            level("skip", 2.0, variant="v", needs_start=True),
        ),
        store=store,
    )


def test_a_fetch_is_waited_for():
    given = started(Store(fetch_seconds=0.3))
    outcome = run(given, Fixed(1))
    assert outcome.finished - given.arrivals == pytest.approx([2.3] * 5)
    assert outcome.level.tolist() == [1] * 5
    assert outcome.busy_seconds == pytest.approx(5 * 2.3)


def test_an_outage_lengthens_a_draw_by_the_timeout_and_the_steps_that_were_to_be_skipped():
    outages = (
        Outage(start=10.0, end=30.0),
        Outage(start=30.0, end=50.0, slowdown=2.0),
        Outage(start=50.0, end=70.0, slowdown=4.0),
    )
    given = started(Store(fetch_seconds=0.3, timeout=0.9, outages=outages))
    outcome = run(given, Fixed(1))
    assert outcome.finished - given.arrivals == pytest.approx([2.3, 4.9, 2.6, 4.9, 2.3])
    assert outcome.level.tolist() == [1, 0, 1, 0, 1]
