"""The price curve: from nothing at an empty queue to the price of refusing at a full one."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from argus_core.curve import FREE, Flow, flat, outside_options, solve
from argus_core.pricing import SHED_LOSS


def flow(**changes):
    """Eight workers, a dear and a cheap level, prompts that lose between nothing and 0.4."""
    defaults = {
        "rate": 6.0,
        "workers": 8,
        "qualities": np.stack([np.ones(50), np.linspace(1.0, 0.6, 50)], axis=1),
        "seconds": np.array([2.0, 1.0]),
        "outside": np.full(50, -SHED_LOSS),
        "allowance": 4.0,
    }
    return Flow(**{**defaults, **changes})


def seconds_asked(given_flow, price):
    """Mean GPU seconds of a request at a price."""
    net = given_flow.qualities - price * given_flow.seconds
    return given_flow.seconds[net.argmax(axis=1)].mean()


flows = st.builds(
    lambda rate, workers, qualities, seconds, allowance, burstiness: flow(
        rate=rate,
        workers=workers,
        qualities=qualities,
        seconds=seconds,
        outside=np.full(len(qualities), -SHED_LOSS),
        allowance=allowance,
        burstiness=burstiness,
    ),
    st.floats(0.01, 100),
    st.integers(1, 100),
    arrays(float, (7, 3), elements=st.floats(0, 1)),
    arrays(float, 3, elements=st.floats(0.05, 20)),
    st.floats(-1, 60),
    st.floats(1, 4),
)


@given(flows)
def test_prices_rise_with_the_backlog_and_end_at_that_of_refusing(given_flow):
    curve = solve(given_flow)
    assert curve.price(0.0) == 0.0
    at = np.linspace(-1, given_flow.allowance * 1.2 + 1, 50)
    prices = np.array([curve.price(b) for b in at])
    assert np.isfinite(prices).all()
    assert (np.diff(prices) >= -1e-12).all()
    quickest = given_flow.seconds.argmin()
    mean = given_flow.qualities[:, quickest].mean()
    highest = (mean + SHED_LOSS) / given_flow.seconds[quickest]
    assert curve.price(max(given_flow.allowance, 0) + 1e-6) == pytest.approx(highest)


@given(flows, st.sampled_from([0.25, 8.0]))
def test_the_time_unit_changes_nothing_but_the_unit_of_the_price(given_flow, factor):
    assume(given_flow.allowance > 0)
    other = replace(
        given_flow,
        rate=given_flow.rate / factor,
        seconds=given_flow.seconds * factor,
        allowance=given_flow.allowance * factor,
    )
    one, two = solve(given_flow), solve(other)
    for share in (0.1, 0.5, 0.9):
        backlog = share * given_flow.allowance
        assert two.price(backlog * factor) * factor == pytest.approx(one.price(backlog), rel=1e-6)


def test_work_comes_as_fast_as_it_is_done_somewhere_on_the_curve():
    given_flow = flow()
    curve = solve(given_flow)
    asked = [
        given_flow.rate * seconds_asked(given_flow, curve.price(b)) / given_flow.workers
        for b in (0.0, 4.0)
    ]
    assert asked[0] > 1 > asked[1]


def test_a_higher_rate_is_dearer_at_every_backlog():
    slow, fast = solve(flow(rate=5.0)), solve(flow(rate=7.0))
    assert all(fast.price(b) > slow.price(b) for b in np.linspace(0.2, 3.8, 10))


def test_levels_are_cheap_well_before_the_queue_is_full():
    """A refusal costs far more than a cheap image, so none is risked for a dear one."""
    given_flow = flow()
    price = solve(given_flow).price(0.75 * given_flow.allowance)
    assert given_flow.rate * seconds_asked(given_flow, price) < 0.95 * given_flow.workers


def test_prompts_that_are_as_good_elsewhere_keep_the_price_low():
    elsewhere = flow(outside=np.full(50, 0.59))
    assert solve(elsewhere).price(2.0) < solve(flow()).price(2.0)


def test_nothing_that_comes_or_no_level_that_is_open_costs_nothing():
    assert solve(flow(rate=0.0)) is FREE
    assert solve(flow(seconds=np.array([inf, inf]))) is FREE
    assert solve(flow(qualities=np.zeros((0, 2)), outside=np.zeros(0))) is FREE


def test_where_no_request_can_wait_whoever_would_pays_the_price_of_refusing():
    curve = solve(flow(allowance=-0.1))
    assert curve.price(0.0) == 0.0
    assert curve.price(0.01) == pytest.approx(0.8 + SHED_LOSS)


def test_a_flat_curve_is_the_same_everywhere():
    assert [flat(0.3).price(b) for b in (-1.0, 0.0, 5.0)] == [0.3] * 3


def test_outside_options_leave_out_the_group_itself_and_what_nobody_holds():
    qualities = [np.array([[0.9]]), np.array([[0.8]]), np.array([[1.0]])]
    seconds = [np.array([1.0]), np.array([2.0]), np.array([1.0])]
    prices = [0.1, 0.2, inf]
    assert outside_options(qualities, seconds, prices, but=0) == pytest.approx(0.8 - 0.4)
    assert outside_options(qualities, seconds, prices, but=1) == pytest.approx(0.9 - 0.1)
    alone = outside_options(qualities[:1], seconds[:1], prices[:1], but=0)
    assert alone == pytest.approx(-SHED_LOSS)


def test_in_light_load_nothing_costs_until_there_is_a_queue():
    quick = flow(
        rate=0.25,
        workers=1,
        seconds=np.array([0.1]),
        qualities=np.full((50, 1), 0.6),
        allowance=19.85,
    )
    curve = solve(quick)
    assert curve.price(5.0) < 1e-3
    assert curve.price(19.86) == pytest.approx((0.6 + SHED_LOSS) / 0.1)
