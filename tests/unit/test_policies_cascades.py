"""DiffServe's cascade, and NIRVANA's thresholds."""

from collections import Counter
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.policies.diffserve import DiffServe, threshold
from argus_core.policies.nirvana import THRESHOLDS, Nirvana, spaced
from argus_core.policies.policy import DONE, REFUSE, Prompt
from policies_support import plateau, started
from simulator_support import level, poisson, prompts, scenario

ANY = Prompt((1.0, 0.8))


def cascade(rate, *, workers=8, deadline=10.0, spread=100):
    """Heavy: 2 s. Light: 0.2 s, judged evenly between 0 and 1."""
    truth = np.tile([1.0, 0.8], (spread, 1))
    said = {1: np.arange(spread) / spread}
    return scenario(
        [i / rate for i in range(int(rate * 60))],
        levels=(level("heavy", 2), level("light", 0.2)),
        workers=("h100",) * workers,
        deadline=deadline,
        prompts=prompts(truth, confidence=said),
    )


# DiffServe


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50).map(sorted), st.floats(0, 1.5))
def test_no_more_than_the_share_falls_below_the_threshold(confidences, share):
    found = threshold(confidences, share)
    below = sum(c < found for c in confidences) / len(confidences)
    assert below <= share + 1e-9
    higher = [c for c in confidences if c > found]
    if higher:  # and the next greater threshold would have too many
        assert sum(c < higher[0] for c in confidences) / len(confidences) > share - 1e-9


@pytest.mark.parametrize(
    ("rate", "light", "share"), [(2.0, 1, 1.0), (6.0, 2, 0.4762), (12.0, 3, 0.198)]
)
def test_workers_and_threshold_meet_the_demand_together(rate, light, share):
    # At 6 a second, 5 % more planned for: 2 light workers carry 10; 6 heavy ones 3 of the 6.3.
    policy = DiffServe()
    _, duties, floor = started(policy, cascade(rate))
    assert Counter(duty.levels for duty in duties) == {(1,): light, (0,): 8 - light}
    assert policy.place(ANY, 10.0, floor) == 1
    below = np.mean(np.arange(100) / 100 < policy.threshold)
    assert below == pytest.approx(share, abs=0.01)
    assert below * rate * 1.05 <= (8 - light) * 0.5


def test_a_demand_too_great_is_drawn_by_light_workers_alone():
    policy = DiffServe()
    _, duties, floor = started(policy, cascade(50.0))
    assert {duty.levels for duty in duties} == {(1,)}
    policy.place(ANY, 10.0, floor)
    assert policy.after(ANY, 1, 0.0, 10.0, floor) == DONE


def test_where_drawing_twice_is_too_slow_light_workers_draw_alone():
    _, duties, _ = started(DiffServe(), cascade(2.0, deadline=2.1))
    assert {duty.levels for duty in duties} == {(1,)}


def test_an_image_is_drawn_again_below_the_threshold_where_there_is_time():
    policy = DiffServe()
    _, _, floor = started(policy, cascade(6.0))
    policy.place(ANY, 10.0, floor)
    low, high = policy.threshold - 0.01, policy.threshold
    assert policy.after(ANY, 1, low, 9.0, floor) == 0
    assert policy.after(ANY, 1, high, 9.0, floor) == DONE
    assert policy.after(ANY, 1, low, 2.0, floor) == DONE
    assert policy.after(ANY, 0, low, 9.0, floor) == DONE
    floor.busy[0], floor.queued[0] = floor.servers[0], 100.0
    assert policy.after(ANY, 1, low, 9.0, floor) == DONE


def test_while_no_light_worker_serves_heavy_ones_draw_first():
    policy = DiffServe()
    _, _, floor = started(policy, cascade(6.0))
    floor.servers[1] = 0
    assert policy.place(ANY, 10.0, floor) == 0


def test_gpu_types_draw_what_they_are_better_at():
    given_ = scenario(
        [i / 2.0 for i in range(120)],
        levels=(level("heavy", {"a": 2.0, "b": 2.0}), level("light", {"a": 1.0, "b": 0.2})),
        workers=("a", "b", "a", "b"),
        prompts=prompts([[1.0, 0.8]], confidence={1: np.array([0.5])}),
    )
    _, duties, _ = started(DiffServe(), given_)
    assert [duty.levels for duty in duties] == [(0,), (1,), (0,), (0,)]


def test_diffserve_needs_a_discriminator():
    with pytest.raises(InvalidRequest, match="--policy: diffserve needs a level"):
        started(DiffServe(), scenario())


def test_an_infinite_threshold_draws_all_again():
    assert threshold([0.2, 0.9], 1.0) == inf


# NIRVANA


def test_similarity_decides_how_many_steps_are_skipped():
    policy = Nirvana()
    _, duties, floor = started(policy, plateau(minutes=1))
    assert {duty.levels for duty in duties} == {tuple(range(6))}
    for similarity, expected in [
        (0.65, 0),
        (0.66, 1),
        (0.75, 1),
        (0.76, 2),
        (0.86, 3),
        (0.91, 4),
        (0.96, 5),
    ]:
        assert policy.place(Prompt((1.0,) * 6, similarity), 9.0, floor) == expected


def test_fewer_levels_keep_the_strictest_threshold():
    assert spaced(THRESHOLDS, 5) == pytest.approx(THRESHOLDS)
    assert spaced(THRESHOLDS, 1) == [0.95]
    assert spaced(THRESHOLDS, 2) == pytest.approx([0.8, 0.95])
    assert len(spaced(THRESHOLDS, 8)) == 8


def test_a_level_slower_than_the_deadline_gives_way_to_the_nearest_that_is_not():
    policy = Nirvana()
    _, _, floor = started(policy, plateau(minutes=1, multiple=0.8))
    assert policy.place(Prompt((1.0,) * 6, 0.1), 2.0, floor) == 3


def test_the_load_changes_nothing():
    policy = Nirvana()
    _, duties, floor = started(policy, plateau(minutes=1))
    for _ in range(1000):
        policy.place(Prompt((1.0,) * 6, 0.1), 9.0, floor)
    assert policy.tick(duties, floor) is None


def test_nothing_late_is_drawn_by_nirvana_either():
    policy = Nirvana()
    setting, duties, floor = started(policy, plateau(minutes=1))
    prompt, enough = Prompt((1.0,) * 6), 1.1 * setting.seconds(0, "h100")
    assert policy.bind(prompt, 0, enough, duties[0], floor) == 0
    assert policy.bind(prompt, 0, 0.9 * enough, duties[0], floor) == REFUSE


def test_nirvana_needs_a_level_that_skips_steps():
    with pytest.raises(InvalidRequest, match="--policy: nirvana needs a level of large"):
        started(Nirvana(), scenario(poisson(1, 5)))
