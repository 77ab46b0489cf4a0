import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.simulator.arrivals import LOOKALIKES, compressed, counted, poisson, thinned


def rng(seed=0):
    return np.random.default_rng(seed)


def counts(arrivals, step):
    return np.bincount((arrivals / step).astype(int))


def likeness(name, *, step, seed=0):
    """Length in steps, mean and greatest smoothed rate a step, memory from one to the next."""
    source = rng(seed)
    per_step = counts(poisson(*LOOKALIKES[name](source), source), step).astype(float)
    off = per_step - per_step.mean()
    smooth = np.convolve(per_step, np.full(10, 0.1), "valid")
    return len(per_step), per_step.mean(), smooth.max(), (off[1:] @ off[:-1]) / (off @ off)


def test_counts_along_a_curve_are_poisson():
    rates = np.tile([2.0, 50.0, 0.0], 3000)
    found = np.bincount((poisson(rates, 0.5, rng()) / 0.5).astype(int), minlength=len(rates))
    for phase, mean in enumerate((1.0, 25.0, 0.0)):
        own = found[phase::3]
        assert own.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 3000))
        assert own.var() == pytest.approx(mean, rel=0.1)


def test_gaps_at_a_constant_rate_are_exponential():
    gaps = np.diff(poisson(np.full(100, 40.0), 10.0, rng()))
    assert gaps.mean() == pytest.approx(1 / 40, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.02)
    assert np.quantile(gaps, 0.99) == pytest.approx(np.log(100) / 40, rel=0.04)


@given(st.lists(st.floats(0, 20), max_size=8), st.floats(0.01, 10), st.integers(0, 5))
def test_arrivals_rise_and_lie_where_there_is_load(rates, step, seed):
    rates = np.array(rates)
    arrivals = poisson(rates, step, rng(seed))
    assert (np.diff(arrivals) >= 0).all()
    assert ((arrivals >= 0) & (arrivals <= len(rates) * step)).all()
    # The last instant of a step may be rounded into the next.
    at = np.minimum((arrivals / step * (1 - 1e-12)).astype(int), max(len(rates) - 1, 0))
    assert (rates[at] > 0).all()


def test_what_was_counted_comes_again_in_its_step_as_often_as_wanted():
    given = np.array([3, 0, 40, 7])
    once = counted(given, 2.0, rng())
    assert counts(once, 2.0).tolist() == [3, 0, 40, 7]
    assert (np.diff(once) >= 0).all()
    assert counts(counted(given, 2.0, rng(), times=2.0), 2.0).tolist() == [6, 0, 80, 14]
    many = counted(np.full(4000, 1), 2.0, rng(), times=1.25)
    assert len(many) == pytest.approx(5000, rel=0.03)
    with pytest.raises(InvalidRequest, match="counts"):
        counted(np.array([-1]), 2.0, rng())


def test_same_seed_same_arrivals():
    first, second = (poisson(np.array([3.0, 1.0]), 60.0, rng(7)) for _ in range(2))
    assert np.array_equal(first, second)


def test_thinning_keeps_a_share_of_the_very_arrivals():
    arrivals = np.arange(20_000.0)
    kept = thinned(arrivals, 0.3, rng())
    assert len(kept) == pytest.approx(6000, abs=200)
    assert np.isin(kept, arrivals).all()
    assert (np.diff(kept) > 0).all()


@pytest.mark.parametrize(("share", "left"), [(0.0, 0), (1.0, 50)])
def test_thinning_to_none_and_to_all(share, left):
    assert len(thinned(np.arange(50.0), share, rng())) == left


def test_compressing_shortens_time_alone():
    assert compressed(np.array([0.0, 10.0, 30.0]), 10).tolist() == [0.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("name", "step", "length", "mean", "peak", "memory"),
    [
        # The last four as measured on the recorded traces; peaks are those of ten steps.
        ("azure", 1, 347, 19.3, 31.8, 0.76),
        ("twitter", 1, 291, 259, 715, 0.91),
        ("gentd", 3600, 419, 40.8, 198, 0.74),
        ("bursty", 60, 840, 214, 391, 0.97),
    ],
)
def test_lookalikes_are_like_the_traces_that_they_stand_for(name, step, length, mean, peak, memory):
    found = np.mean([likeness(name, step=step, seed=seed) for seed in range(5)], axis=0)
    assert found[0] == pytest.approx(length, abs=12)
    assert found[1] == pytest.approx(mean, rel=0.12)
    assert found[2] == pytest.approx(peak, rel=0.15)
    assert found[3] == pytest.approx(memory, abs=0.12)


def test_a_day_lasts_24_hours_about_40_a_second():
    rates, step = LOOKALIKES["day"](rng())
    assert len(rates) * step == 86_400
    assert rates.mean() == pytest.approx(40, rel=0.05)
    assert rates.min() > 10
    assert rates.max() < 80


@pytest.mark.parametrize("name", LOOKALIKES)
def test_lookalikes_repeat_by_their_seed(name):
    first, second = (LOOKALIKES[name](rng(4)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert (first[0] >= 0).all()


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("step", lambda: poisson(np.ones(2), 0, rng())),
        ("step", lambda: poisson(np.ones(2), float("nan"), rng())),
        ("rates", lambda: poisson(np.array([1.0, -1.0]), 1, rng())),
        ("rates", lambda: poisson(np.array([np.inf]), 1, rng())),
        ("rates", lambda: poisson(np.ones((2, 2)), 1, rng())),
        ("rates", lambda: poisson(np.full(10, 1e9), 1, rng())),
        ("share", lambda: thinned(np.ones(2), 1.2, rng())),
        ("factor", lambda: compressed(np.ones(2), 0)),
        ("factor", lambda: compressed(np.ones(2), float("inf"))),
    ],
)
def test_errors_name_the_field(field, call):
    with pytest.raises(InvalidRequest) as error:
        call()
    assert [v.field for v in error.value.violations] == [field]
