"""Shares by what is asked, and buckets that fill."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_core.demand import ALONE, Demand
from argus_core.quota import BURST, Bucket

WEIGHTS = {"a": 1.0, "b": 1.0, "c": 2.0}


def demand(**rates):
    """As after ten memories of asking so much a second; quickest is a tenth of best."""
    found = Demand(WEIGHTS.__getitem__, memory=10.0)
    for tick in range(1000):
        for tenant, rate in rates.items():
            found.saw(tenant, best=rate / 10, least=rate / 100, now=tick / 10)
    return found


def test_who_asks_alone_has_everything():
    assert demand(a=100.0).shares(4.0, 100.0) is ALONE
    assert ALONE.share("a") == 1.0


def test_what_one_does_not_ask_for_is_the_others():
    shares = demand(a=100.0, b=1.0).shares(4.0, 100.0)
    assert shares.share("a") == pytest.approx(0.75, abs=0.01)
    assert shares.share("b") >= 0.5
    assert shares.over == {"a"}


def test_nobody_is_over_who_can_be_served_at_its_quickest():
    shares = demand(a=10.0, b=10.0).shares(4.0, 100.0)
    assert shares.over == frozenset()
    assert shares.share("a") == pytest.approx(0.5)


def test_weights_share_what_is_short():
    shares = demand(a=100.0, c=100.0).shares(3.0, 100.0)
    assert shares.share("c") == pytest.approx(2 / 3)
    assert shares.over == {"a", "c"}


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), st.floats(0.01, 100), min_size=2),
    st.floats(0.1, 50),
)
def test_nobody_may_have_less_than_by_weight_among_all(rates, capacity):
    shares = demand(**rates).shares(capacity, 100.0)
    total = sum(WEIGHTS[tenant] for tenant in rates)
    for tenant, rate in rates.items():
        fair = WEIGHTS[tenant] / total
        assert shares.share(tenant) >= min(fair, rate / capacity) * 0.98
        if rate / 10 < fair * capacity * 0.98:
            assert tenant not in shares.over


def test_a_tenant_that_asks_no_more_is_forgotten():
    found = demand(a=1.0, b=1.0)
    found.saw("a", best=1.0, least=1.0, now=150.0)
    assert found.shares(4.0, 150.0) is ALONE
    assert len(found) == 1


def test_bucket_gives_its_burst_at_once_and_then_its_rate():
    bucket = Bucket(2.0, now=0.0)
    bucket.take(2.0 * BURST, 0.0)
    assert bucket.wait(1.0, 0.0) == pytest.approx(0.5)
    assert bucket.wait(1.0, 0.5) == 0.0


def test_what_was_used_beyond_what_was_thought_is_waited_for():
    bucket = Bucket(1.0, now=0.0)
    bucket.take(BURST, 0.0)
    bucket.take(5.0, 0.0)
    assert bucket.wait(1.0, 0.0) == pytest.approx(6.0)
    bucket.take(-5.0, 0.0)
    assert bucket.wait(1.0, 0.0) == pytest.approx(1.0)


def test_more_than_a_bucket_holds_is_not_refused_for_ever():
    bucket = Bucket(1.0, now=0.0)
    assert bucket.wait(100 * BURST, 0.0) == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20))), st.floats(0.1, 10))
def test_no_more_is_taken_than_the_rate_and_one_burst(asks, rate):
    bucket, now, taken = Bucket(rate, now=0.0), 0.0, 0.0
    for gap, amount in asks:
        now += gap
        if amount <= rate * BURST and not bucket.wait(amount, now):
            bucket.take(amount, now)
            taken += amount
    assert taken <= rate * (now + BURST) + 1e-6
