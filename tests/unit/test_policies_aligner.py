import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.policies.aligner import align, nearest_served

shares = st.floats(0.01, 1)


@st.composite
def distributions(draw):
    """Preferences and loads over the same levels; some levels get nothing."""
    count = draw(st.integers(1, 7))
    either = st.one_of(st.just(0.0), shares)
    pair = [draw(st.lists(either, min_size=count, max_size=count)) for _ in range(2)]
    for values in pair:
        values[draw(st.integers(0, count - 1))] = draw(shares)
    return pair


def moved(table, preferred):
    """The mass that goes from level to level."""
    total = sum(preferred)
    return [[p * mass / total for p in row] for row, mass in zip(table, preferred, strict=True)]


def test_an_excess_moves_to_dearer_levels_and_a_deficit_is_filled_from_them():
    # By hand, from the cheapest up. Level 3: 0.4 want it, 0.3 find room, 0.1 go on. Level 2: its
    # own 0.1, the 0.1 from level 3, and 0.2 that level 1, the nearest dearer one, gives up.
    # Level 1 has 0.1 of its own left, for which it has room; level 0 keeps its 0.2.
    table = align([0.2, 0.3, 0.1, 0.4], [0.2, 0.1, 0.4, 0.3])
    assert table == [
        pytest.approx([1, 0, 0, 0]),
        pytest.approx([0, 1 / 3, 2 / 3, 0]),
        pytest.approx([0, 0, 1, 0]),
        pytest.approx([0, 0, 1 / 4, 3 / 4]),
    ]


def test_who_prefers_a_level_has_the_first_claim_on_it():
    # The 0.5 that level 2 has too many pass level 1, which its own fill, and end at level 0.
    table = align([0, 1, 3], [2, 1, 1])
    assert table[1] == pytest.approx([0, 1, 0])
    assert table[2] == pytest.approx([2 / 3, 0, 1 / 3])


def test_where_preferences_fit_nobody_moves():
    table = align([3, 2, 5], [0.3, 0.2, 0.5])
    assert table == [pytest.approx([float(i == j) for j in range(3)]) for i in range(3)]


@given(distributions())
def test_mass_is_conserved(pair):
    preferred, served = pair
    table = align(preferred, served)
    for row in table:
        assert sum(row) == pytest.approx(1)
        assert min(row) >= 0
    arrives = [sum(column) for column in zip(*moved(table, preferred), strict=True)]
    assert arrives == pytest.approx([s / sum(served) for s in served], abs=1e-9)


@given(distributions())
def test_no_more_lose_than_must(pair):
    # Those who prefer a level or a dearer one cannot all be served there if fewer places are
    # there: just the difference moves to cheaper ones.
    preferred, served = pair
    mass = moved(align(preferred, served), preferred)
    count = len(preferred)
    for border in range(1, count):
        lose = sum(mass[i][j] for i in range(border) for j in range(border, count))
        wants = sum(preferred[:border]) / sum(preferred)
        places = sum(served[:border]) / sum(served)
        assert lose == pytest.approx(max(0.0, wants - places), abs=1e-9)


@given(distributions())
def test_no_row_leads_to_a_level_without_load(pair):
    preferred, served = pair
    for row in align(preferred, served):
        assert all(share == 0 for share, load in zip(row, served, strict=True) if load == 0)


def test_a_level_that_nobody_preferred_sends_to_the_nearest_with_a_load():
    table = align([1, 0, 0, 0], [0.5, 0, 0, 0.5])
    assert table[1] == [1, 0, 0, 0]
    assert table[2] == [0, 0, 0, 1]


def test_of_two_levels_as_near_the_cheaper_is_taken():
    assert nearest_served(1, [1, 0, 1]) == 2
    assert nearest_served(0, [0, 0]) == -1
