from math import inf, nan
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core.planning.load import LoadEstimator, LoadReport, LoadRules, Verdict

WINDOW = 5.0


def estimator(**changes):
    return LoadEstimator(LoadRules(levels=2, **changes), rng=Random(7))


def report(k, arrivals=50, router="a", samples=(), **changes):
    """The k-th report of a router that was started at 0."""
    given_ = {"router": router, "sequence": k, "window_end": WINDOW * k, "window": WINDOW,
              "arrivals": arrivals, "samples": samples, **changes}  # fmt: skip
    return LoadReport(**given_)


def fed(counts, into=None, router="a"):
    load = into or estimator()
    for k, arrivals in enumerate(counts, start=1):
        assert load.observe(report(k, int(arrivals), router), WINDOW * k) is Verdict.TAKEN
    return load


def test_nothing_is_known_before_the_first_report():
    assert estimator().estimate(0.0) is None


def test_a_steady_load_is_told_as_it_is():
    load = fed([50] * 20).estimate(100.0)
    assert load.rate == pytest.approx(10.0)
    assert load.ahead == pytest.approx(10.0)
    assert load.age == 0.0


def test_routers_add_up():
    load = fed([30] * 20, into=fed([50] * 20), router="b").estimate(100.0)
    assert load.rate == pytest.approx(16.0)
    assert load.routers == 2


def test_a_lost_report_leaves_no_dip():
    load = estimator()
    for k in (*range(1, 9), *range(12, 21)):
        load.observe(report(k), WINDOW * k)
    assert load.estimate(100.0).rate == pytest.approx(10.0)


def test_a_report_that_comes_late_and_out_of_order_counts_once():
    load = estimator()
    for k in (1, 2, 4, 5, 3, 6):
        assert load.observe(report(k), WINDOW * 6) is Verdict.TAKEN
    assert load.observe(report(3), WINDOW * 6) is Verdict.DUPLICATE
    assert load.estimate(30.0).rate == pytest.approx(10.0)


def test_a_report_of_before_the_span_is_refused():
    load = fed([50] * 60)
    assert load.observe(report(2, router="b"), 300.0) is Verdict.LATE


def test_a_duplicate_changes_nothing():
    once, twice = fed([50] * 10), fed([50] * 10)
    for k in range(1, 11):
        assert twice.observe(report(k, 500), 50.0) is Verdict.DUPLICATE
    assert once.estimate(50.0) == twice.estimate(50.0)


def test_a_restarted_router_goes_on_though_its_sequence_begins_anew():
    load = fed([50] * 10)
    for k in range(1, 6):
        again = report(k, window_end=60.0 + WINDOW * k)
        assert load.observe(again, again.window_end) is Verdict.TAKEN
    assert load.estimate(85.0).rate == pytest.approx(10.0)


def test_a_clock_set_back_a_little_costs_only_what_overlaps():
    load = fed([50] * 10)
    shifted = report(11, window_end=53.0)
    assert load.observe(shifted, 55.0) is Verdict.TAKEN
    assert load.estimate(55.0).rate == pytest.approx(10.0)


def test_a_router_that_is_gone_stops_counting():
    load = fed([50] * 20)
    for k in range(1, 41):
        load.observe(report(k, 30, "b"), WINDOW * k)
    later = load.estimate(200.0)
    assert later.rate == pytest.approx(6.0, rel=0.15)
    assert later.routers == 1


def test_a_new_router_brings_its_load_from_its_first_report_on():
    load = fed([50] * 40)
    for k in range(33, 41):
        load.observe(report(k, 50, "b"), WINDOW * k)
    assert 17 <= load.estimate(200.0).rate <= 30


def test_a_silent_cluster_grows_old():
    load = fed([50] * 5)
    assert load.estimate(500.0).age == 475.0


ABSURD = [
    {"arrivals": -1}, {"arrivals": nan}, {"arrivals": 10**12}, {"window": 0.0}, {"window": -5.0},
    {"window": nan}, {"window": inf}, {"window": 1e6}, {"window_end": nan}, {"window_end": inf},
    {"window_end": 1e9},
]  # fmt: skip


@pytest.mark.parametrize("changes", ABSURD)
def test_absurd_reports_are_refused_and_change_nothing(changes):
    load = fed([50] * 10)
    before = load.estimate(50.0)
    assert load.observe(report(11, **changes), 55.0) is Verdict.ABSURD
    assert load.estimate(50.0) == before
    assert load.verdicts[Verdict.ABSURD] == 1


def test_routers_are_bounded():
    load = estimator(most_routers=3)
    verdicts = [load.observe(report(1, router=f"r{i}"), 5.0) for i in range(5)]
    assert verdicts == [Verdict.TAKEN] * 3 + [Verdict.ABSURD] * 2


numbers = st.floats(allow_nan=True, allow_infinity=True)


rows_of_reports = st.tuples(
    st.sampled_from("abc"),
    st.integers(),
    st.floats(-10, 400) | numbers,
    st.floats(0, 20) | numbers,
    st.integers(-5, 1000) | numbers,
    st.lists(st.lists(numbers, max_size=3), max_size=3),
)


@settings(deadline=None)
@given(st.lists(rows_of_reports, max_size=30))
def test_any_reports_give_a_sane_load(rows):
    load, now = estimator(), 0.0
    for router, sequence, end, window, arrivals, samples in rows:
        now = now + 5.0
        load.observe(
            LoadReport(router=router, sequence=sequence, window_end=end, window=window,
                       arrivals=arrivals, samples=samples), now)  # fmt: skip
    found = load.estimate(now, ahead=15.0)
    if found is not None:
        for value in (found.rate, found.ahead, found.deviation, found.burstiness, found.age):
            assert 0 <= value < inf
        assert all(len(q) == 2 and all(0 <= x <= 1 for x in q) for q in found.qualities)


def test_poisson_arrivals_are_known_for_what_they_are():
    rng = np.random.default_rng(3)
    found = [fed(rng.poisson(50, 40)).estimate(200.0).burstiness for _ in range(100)]
    assert np.mean(found) == pytest.approx(1.0, abs=0.1)


def test_bursty_arrivals_are_known_for_what_they_are():
    """Counts with variance four times their mean."""
    rng = np.random.default_rng(3)
    found = [
        fed(rng.negative_binomial(50 / 3, 1 / 4, 40)).estimate(200.0).burstiness for _ in range(100)
    ]
    assert 3.0 <= np.mean(found) <= 4.5


def test_clockwork_arrivals_are_calmer_than_poisson():
    assert fed([50] * 40).estimate(200.0).burstiness < 0.5


@pytest.mark.parametrize(("low", "high"), [(10, 10), (10, 30), (30, 12)])
def test_the_forecast_errs_as_much_as_it_says(low, high):
    """On a line from `low` to `high` a second, looked at 15 s ahead; a false alarm is allowed."""
    rng = np.random.default_rng(11)
    slope = (high - low) / 200.0
    rates = low + slope * (WINDOW * np.arange(40) + WINDOW / 2)
    errors = []
    for _ in range(200):
        found = fed(rng.poisson(rates * WINDOW)).estimate(200.0, ahead=15.0)
        errors.append((found.ahead - (high + slope * 15)) / found.deviation)
    assert np.mean(np.abs(errors) < 3) >= 0.9
    assert np.mean(np.abs(errors) < 1) <= 0.9, "the deviation must not be told too large"


def test_a_rising_load_is_seen_coming():
    found = fed(50 + 4 * np.arange(40)).estimate(200.0, ahead=15.0)
    assert found.ahead > found.rate > 40


def test_a_step_up_is_not_extrapolated_without_bound():
    found = fed([20] * 30 + [200] * 2).estimate(160.0, ahead=60.0)
    assert found.ahead <= 2 * max(found.rate, 40)


def test_old_reports_are_forgotten():
    load = fed([500] * 40 + [50] * 200)
    assert load.estimate(1200.0).rate == pytest.approx(10.0)
    (router,) = load._routers.values()
    assert len(router.arrivals._windows) <= 40


def test_seconds_may_be_told_from_any_zero():
    base = 1.7e9
    load = estimator()
    for k in range(1, 21):
        load.observe(report(k, window_end=base + WINDOW * k), base + WINDOW * k)
    assert load.estimate(base + 100.0).rate == pytest.approx(10.0)
