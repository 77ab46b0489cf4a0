from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.policies import clipper
from argus_core.policies.crews import posts
from argus_core.policies.observed import Observed
from argus_core.policies.pac import Pac
from argus_core.policies.pace import pace
from argus_core.policies.policy import REFUSE, Duty, Prompt
from argus_core.policies.proteus import Proteus
from argus_core.policies.sommelier import Sommelier
from argus_core.policies.turns import Turns
from argus_core.simulator.setting import setting_of
from policies_support import floor_of, plateau, started
from simulator_support import level, prompts, scenario

ANY = Prompt((1.0, 0.8))


def place_many(policy, floor, count, *, deadline):
    return Counter(policy.place(ANY, deadline, floor) for _ in range(count))


def serve(policy, setting, *, rate, seconds, crew, start=0.0, tick=10.0):
    """Let arrivals come evenly, and the control loop have its turns; the last duties, and when
    they were changed."""
    changes, now = [], start
    while now < start + seconds:
        now += tick
        floor = floor_of(policy, setting, crew, now=now)
        for _ in range(round(rate * tick)):
            policy.place(setting.sample[0], setting.deadline, floor)
        told = policy.tick(crew, floor)
        if told is not None:
            crew, changes = told, [*changes, now]
    return crew, changes


# What is measured


def test_the_rate_is_the_mean_of_the_last_minute():
    observed = Observed(rate=1.0)
    for turn, count in enumerate([10, 12, 9, 11, 10, 8, 10], start=1):
        observed.count += count
        observed.turn(10.0 * turn)
    assert observed.rate == pytest.approx((12 + 9 + 11 + 10 + 8 + 10) / 60)


def test_a_burst_is_known_at_the_next_turn():
    observed = Observed(rate=1.0)
    for turn in range(1, 7):
        observed.count += 10
        observed.turn(10.0 * turn)
    observed.count += 70
    assert observed.turn(70.0) == pytest.approx(7.0)


def test_chance_is_no_burst():
    observed = Observed(rate=1.0)
    for turn, count in enumerate([10, 19], start=1):
        observed.count += count
        observed.turn(10.0 * turn)
    assert observed.rate == pytest.approx(29 / 20)


def test_a_turn_without_time_changes_nothing():
    observed = Observed(rate=2.0)
    observed.count = 5
    assert observed.turn(0.0) == 2.0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=6).filter(any), st.integers(1, 200))
def test_turns_keep_shares_to_within_the_number_of_choices(shares, count):
    turns = Turns(shares)
    taken = Counter(turns.next() for _ in range(count))
    for i, share in enumerate(shares):
        assert abs(taken[i] - count * share / sum(shares)) <= len(shares)


def test_turns_without_shares_pick_nobody():
    assert Turns([0.0, 0.0]).next() == -1


def test_turns_forget_choices_that_have_lost_their_share():
    turns = Turns([1.0, 1.0])
    turns.next()
    turns.change([0.0, 1.0])
    assert [turns.next() for _ in range(3)] == [1, 1, 1]


# What a worker can do


def test_a_level_slower_than_the_deadline_is_closed():
    assert pace(level("l", 4), "h100", deadline=3.9, fetch_seconds=0.0) == 0
    assert pace(level("l", 4), "h100", deadline=4.0, fetch_seconds=0.0) == 0.25
    assert pace(level("l", 4), "other", deadline=4.0, fetch_seconds=0.0) == 0


def test_fetching_counts_where_a_start_is_needed():
    assert pace(level("l", 4, needs_start=True), "h100", deadline=9, fetch_seconds=1) == 0.2
    assert pace(level("l", 4, needs_start=True), "h100", deadline=4.5, fetch_seconds=1) == 0


def test_a_batch_counts_while_it_takes_half_the_deadline_at_most():
    one = level("l", 2, batches=(1.0, 1.5, 2.0))
    assert pace(one, "h100", deadline=8, fetch_seconds=0) == 3 / 4
    assert pace(one, "h100", deadline=7, fetch_seconds=0) == 2 / 3
    assert pace(one, "h100", deadline=3, fetch_seconds=0) == 1 / 2


# Who is posted where


@given(st.data())
def test_no_more_workers_switch_than_the_numbers_ask_for(data):
    levels = tuple(level(f"l{i}", 1, variant=f"v{i // 2}") for i in range(4))
    workers = data.draw(st.integers(1, 6))
    drawn = st.lists(st.integers(0, 3), min_size=workers, max_size=workers)
    setting = setting_of(
        scenario(levels=levels, workers=("h100",) * workers, prompts=prompts([[1, 1, 1, 1]]))
    )
    now, wanted = data.draw(drawn), Counter(data.draw(drawn))
    crew = [setting.post(i) for i in now]
    found = posts(setting, crew, {(i, "h100"): n for i, n in wanted.items()})
    assert Counter(found) == wanted
    have = Counter(i // 2 for i in now)
    want = Counter(i // 2 for i in found)
    switches = sum(a // 2 != b // 2 for a, b in zip(now, found, strict=True))
    assert switches == workers - (have & want).total()


def test_lost_workers_are_posted_nowhere():
    setting = setting_of(scenario(workers=("h100",) * 3))
    crew = [None, setting.post(0), setting.post(0)]
    assert posts(setting, crew, {(1, "h100"): 1, (0, "h100"): 1}) == [None, 0, 1]


# The plain ones


def test_clipper_serves_the_best_or_the_fastest_level_always():
    for make, expected in ((clipper.highest_accuracy, 0), (clipper.highest_throughput, 5)):
        policy = make()
        _, duties, floor = started(policy, plateau(rate=2000, minutes=1))
        assert {duty.levels for duty in duties} == {(expected,)}
        assert set(place_many(policy, floor, 20, deadline=9)) == {expected}


def test_clipper_takes_the_best_level_that_the_deadline_leaves():
    given = scenario(workers=("h100",) * 2, deadline=2.0)
    _, duties, _ = started(clipper.highest_accuracy(), given)
    assert {duty.levels for duty in duties} == {(1,)}


@pytest.mark.parametrize(
    "policy", [clipper.highest_accuracy(), clipper.highest_throughput(), Sommelier(), Pac()]
)
def test_where_no_level_is_fast_enough_all_is_refused(policy):
    _, duties, floor = started(policy, scenario(workers=("h100",) * 2, deadline=0.5))
    assert {duty.levels for duty in duties} == {()}
    assert policy.place(ANY, 0.5, floor) == REFUSE


def test_sommelier_takes_the_best_level_that_carries_an_even_share():
    # Four workers; large draws 0.25 a second, small 1.
    for rate, expected in ((0.9, 0), (1.1, 1), (9.0, 1)):
        policy = Sommelier()
        arrivals = [i / rate for i in range(round(rate * 60))]
        _, duties, _ = started(policy, scenario(arrivals, workers=("h100",) * 4))
        assert {duty.levels for duty in duties} == {(expected,)}


def test_proteus_splits_by_what_workers_carry_and_pac_by_the_best_loads():
    # Three a second: small must serve on three of five workers; they carry 2 x 0.25 + 3 x 1.
    arrivals = [i / 3 for i in range(180)]
    given = scenario(arrivals, workers=("h100",) * 5, deadline=20.0)
    for policy, large in ((Proteus(), 1 / 7), (Pac(), 1 / 6)):
        _, duties, floor = started(policy, given)
        assert Counter(duty.levels for duty in duties) == {(0,): 2, (1,): 3}
        placed = place_many(policy, floor, 420, deadline=20.0)
        assert placed[0] == pytest.approx(420 * large, abs=2)


def test_proteus_decides_every_30_s_and_pac_at_every_turn():
    given = scenario([i / 0.5 for i in range(30)], workers=("h100",) * 4, deadline=20.0)
    for policy, expected in ((Proteus(), 30.0), (Pac(), 10.0)):
        setting, duties, _ = started(policy, given)
        _, changes = serve(policy, setting, rate=3.0, seconds=60, crew=duties)
        assert changes[0] == expected


def test_a_switch_is_not_made_for_a_whim_of_the_load():
    arrivals = [i / 2.0 for i in range(120)]
    policy = Pac()
    setting, duties, _ = started(policy, scenario(arrivals, workers=("h100",) * 4, deadline=20.0))
    _, changes = serve(policy, setting, rate=2.1, seconds=200, crew=duties)
    assert changes == []
    _, changes = serve(policy, setting, rate=3.2, seconds=200, crew=duties, start=200.0)
    assert changes


def test_the_load_follows_the_workers_that_are_there():
    policy = Pac()
    arrivals = [i / 3 for i in range(180)]
    setting, duties, floor = started(
        policy, scenario(arrivals, workers=("h100",) * 5, deadline=20.0)
    )
    assert set(place_many(policy, floor, 50, deadline=20.0)) == {0, 1}
    floor.servers[0] = 0
    assert set(place_many(policy, floor, 50, deadline=20.0)) == {1}


def test_while_nobody_serves_requests_wait_where_most_workers_are_awaited():
    policy = Pac()
    arrivals = [i / 3 for i in range(180)]
    setting, duties, _ = started(policy, scenario(arrivals, workers=("h100",) * 5, deadline=20.0))
    nobody = floor_of(policy, setting, [None] * 5)
    assert set(place_many(policy, nobody, 5, deadline=20.0)) == {1}


def test_what_would_be_late_is_dropped():
    policy = clipper.highest_accuracy()
    setting, duties, floor = started(policy, scenario())
    assert policy.bind(ANY, 0, 4.3, duties[0], floor) == 0
    assert policy.bind(ANY, 0, 4.1, duties[0], floor) == REFUSE


def test_requests_placed_anew_after_a_loss_are_no_load():
    policy = Pac()
    setting, _, floor = started(policy, scenario())
    policy.place(ANY, setting.deadline, floor)
    policy.place(ANY, setting.deadline - 1, floor)
    assert policy.observed.count == 1


def test_a_worker_that_is_lost_leaves_the_others_a_new_plan():
    given = scenario([i / 0.4 for i in range(24)], workers=("h100",) * 2, deadline=20.0)
    policy = Pac()
    setting, duties, floor = started(policy, given)
    assert Counter(duty.levels for duty in duties) == {(0,): 2}
    policy.observed.count = 4
    floor.now = 10.0
    told = policy.tick([duties[0], None], floor)
    assert told is not None
    assert told[0] == Duty(("small",), (1,))
