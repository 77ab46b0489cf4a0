import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from argus_cli.simulate.statistics import interval, paired

values = st.lists(st.floats(-100, 100), min_size=2, max_size=20)


def test_a_known_interval():
    # Student's t of 2 degrees of freedom at 97.5% is 4.3027; deviation 1 over the root of 3.
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half == pytest.approx(4.3027 / 3**0.5, abs=1e-4)
    assert (found.low, found.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)


@given(values)
def test_the_interval_is_that_of_a_t_test(given_values):
    assume(max(given_values) - min(given_values) > 1e-3)
    found, told = interval(given_values), stats.ttest_1samp(given_values, 0)
    low, high = told.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


def test_nothing_known_is_no_interval_and_one_value_has_no_width():
    assert interval([]) is None
    assert interval([None, None]) is None
    found = interval([None, 0.5])
    assert (found.mean, found.low, found.high, found.half, found.count) == (
        0.5,
        None,
        None,
        None,
        1,
    )
    assert not found.clear


def test_what_is_not_known_is_left_out():
    assert interval([1.0, None, 3.0]) == interval([1.0, 3.0])


@given(values, st.floats(-100, 100))
def test_a_difference_that_is_always_the_same_is_sure_however_much_seeds_differ(those, shift):
    found = paired([value + shift for value in those], those)
    assert found.mean == pytest.approx(shift, abs=1e-9)
    assert found.half == pytest.approx(0, abs=1e-9)


def test_pairs_are_taken_seed_by_seed_and_halves_of_pairs_left_out():
    found = paired([1.0, None, 3.0, 5.0], [0.0, 7.0, None, 2.0])
    assert (found.mean, found.count) == (2.0, 2)
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 2.0])


def test_an_interval_is_clear_when_it_leaves_out_nothing():
    assert interval([1.0, 1.1, 0.9]).clear
    assert not interval([1.0, -1.0, 0.5]).clear
