"""What plans take levels to take: slow to change, sure to follow."""

from itertools import pairwise
from math import exp, inf, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.measured import Measured, Work

TURN = 10.0
LEVELS = {"large": {"cpu": 1.0}, "small": {"cpu": 0.2}}


class Machine:
    """Draws images at both levels, with a ratio to the stated seconds that wavers."""

    def __init__(self, *, images=20, wavers=0.0, seed=0):
        self.measured, self.now = Measured(LEVELS), 0.0
        self.images, self.wavers, self.rng, self.mood = images, wavers, Random(seed), 0.0
        self.news = 0

    def turns(self, minutes, ratio=1.0, levels=("large", "small")):
        """Play; the ratios believed of `large` after each turn."""
        found = []
        for _ in range(round(minutes * 60 / TURN)):
            self.now += TURN
            # What slows a machine down goes on for half a minute.
            self.mood = 0.7 * self.mood + sqrt(1 - 0.7**2) * self.rng.gauss(0, self.wavers)
            self.measured.saw(
                Work(name, "cpu", self.images, self.images * ratio * exp(self.mood) * stated)
                for name in levels
                if self.images
                for stated in LEVELS[name].values()
            )
            if self.measured.turn(self.now):
                self.news += 1
                self.measured.planned()
            found.append(self.believed("large"))
        return found

    def believed(self, level):
        (cost,) = self.measured.costs([level], [LEVELS[level]])
        return cost["cpu"] / LEVELS[level]["cpu"]


def turnabouts(ratios):
    """Times that a series has changed its direction."""
    steps = [b - a for a, b in pairwise(ratios) if a != b]
    return sum(a * b < 0 for a, b in pairwise(steps))


def test_what_nobody_measured_is_as_stated_and_closed_levels_stay_closed():
    machine = Machine(images=0)
    machine.turns(10)
    costs = [{"cpu": inf}, {"cpu": 0.2}, {"cpu": 5.0}]
    assert machine.measured.costs(["large", "small", "unknown"], costs) == costs
    assert (machine.news, machine.measured.told()) == (0, "")
    assert [one.measured for one in machine.measured.beliefs] == [None, None]


@pytest.mark.parametrize("images", [1, 5, 100])
@pytest.mark.parametrize(("ratio", "low", "high"), [(3.0, 2.5, 3.3), (0.4, 0.36, 0.48)])
def test_a_real_change_is_followed_within_five_minutes_and_back(images, ratio, low, high):
    machine = Machine(images=images, wavers=0.1)
    assert set(machine.turns(20)) == {1.0}
    there = machine.turns(5, ratio)
    assert low < there[-1] < high
    assert turnabouts(there) == 0
    back = machine.turns(6)
    assert back[-1] == pytest.approx(1.0, abs=0.2)
    assert turnabouts(back) == 0


def test_a_change_is_followed_at_a_bounded_rate():
    machine = Machine()
    machine.turns(5)
    ratios = [1.0, *machine.turns(10, 8.0)]
    assert max(b / a for a, b in pairwise(ratios)) <= 2 ** (TURN / 60) + 1e-9


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("wavers", "most"), [(0.2, 2), (0.35, 8)])
def test_a_machine_that_wavers_has_few_plans_made_anew(wavers, most, seed):
    """An hour: 360 turns."""
    machine = Machine(wavers=wavers, seed=seed)
    assert turnabouts(machine.turns(60)) <= most
    assert machine.news <= 6 * most


def test_one_stretch_that_stands_out_is_not_believed():
    machine = Machine()
    machine.turns(10 + TURN / 60)  # to the end of a stretch
    assert set(machine.turns(2 * TURN / 60, 9.0)) == {1.0}
    assert set(machine.turns(10)) == {1.0}


def test_a_level_without_images_is_taken_to_be_as_its_kin():
    machine = Machine()
    machine.turns(10, 3.0, levels=("small",))
    assert machine.believed("large") == pytest.approx(3.0, rel=0.1)


def test_a_level_that_is_avoided_keeps_what_is_believed_of_it():
    machine = Machine(images=30)
    machine.turns(10, 3.0, levels=("large",))
    believed = machine.believed("large")
    machine.turns(30, levels=("small",))
    assert machine.believed("large") == pytest.approx(believed, rel=0.3)
    assert machine.believed("large") > 2.0


def test_words_name_gpu_type_and_ratio():
    machine = Machine()
    machine.turns(10, 3.0)
    assert machine.measured.told() == "images on cpu take 3 times the stated seconds"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["large", "small", "other"]),
            st.sampled_from(["cpu", "gpu"]),
            st.integers(-1, 1000),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=40,
    )
)
def test_whatever_is_told_seconds_stay_within_ten_times_the_stated(told):
    measured, now = Measured(LEVELS), 0.0
    for one in told:
        measured.saw([Work(*one)])
        now += 25.0
        measured.turn(now)
        for belief in measured.beliefs:
            assert belief.stated / 10.01 <= belief.planned <= belief.stated * 10.01
