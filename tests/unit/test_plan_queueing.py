from math import exp, factorial, floor, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.planning.queueing import (
    erlang_c,
    mean_wait,
    utilisation_bound,
    wait_exceeds,
)

servers = st.integers(1, 200)
busy = st.floats(0.05, 0.97)


@given(st.integers(1, 60), busy)
def test_chance_of_waiting_is_erlangs(c, share):
    a = c * share
    last = a**c / factorial(c) * c / (c - a)
    assert erlang_c(c, a) == pytest.approx(
        last / (sum(a**k / factorial(k) for k in range(c)) + last), rel=1e-9
    )


@given(busy)
def test_one_server_makes_wait_as_often_as_it_is_busy(share):
    assert erlang_c(1, share) == pytest.approx(share)


@given(busy, st.floats(0.1, 10), st.floats(0, 5))
def test_mm1_wait_matches_its_closed_form(share, service, allowance):
    late = wait_exceeds(1, share, service, allowance * service)
    assert late == pytest.approx(share * exp(-(1 - share) * allowance))
    assert mean_wait(1, share, service) == pytest.approx(share / (1 - share) * service)


@given(busy, st.floats(0, 4))
def test_mg1_mean_wait_is_pollaczek_khinchines(share, variation):
    exact = share / (1 - share) * (1 + variation) / 2
    assert mean_wait(1, share, 1.0, service_variation=variation) == pytest.approx(exact)


@given(st.floats(0.3, 0.95), st.floats(0, 8))
def test_md1_tail_errs_on_the_safe_side_where_few_are_late(share, allowance):
    exact = 1 - md1_wait_within(share, allowance)
    near = wait_exceeds(1, share, 1.0, allowance, service_variation=0.0)
    assert near >= (exact if exact < 0.05 else 0.75 * exact) - 1e-9


def test_md1_tail_is_near_in_heavy_traffic():
    exact = 1 - md1_wait_within(0.95, 10.0)
    assert wait_exceeds(1, 0.95, 1.0, 10.0, service_variation=0.0) == pytest.approx(exact, rel=0.1)


def md1_wait_within(share, time):
    """Erlang's formula for M/D/1 with unit service."""
    return (1 - share) * sum(
        (share * (k - time)) ** k / factorial(k) * exp(-share * (k - time))
        for k in range(floor(time) + 1)
    )


@given(servers, st.floats(0.1, 10), st.floats(1.05, 30), st.floats(0.5, 0.999))
def test_the_bound_is_where_mmc_just_meets_the_target(c, service, ratio, target):
    deadline = service * ratio
    bound = utilisation_bound(c, service, deadline=deadline, target=target, service_variation=1.0)
    assert wait_exceeds(c, bound * c, service, deadline - service) <= (1 - target) * (1 + 1e-6)
    more = min(1.0, bound + 1e-6)
    assert more == 1.0 or wait_exceeds(c, more * c, service, deadline - service) > 1 - target


@given(servers, st.floats(1.1, 30))
def test_more_servers_may_be_busier(c, ratio):
    one, two = (utilisation_bound(n, 1.0, deadline=ratio, target=0.99) for n in (c, 2 * c))
    assert two >= one - 1e-8


@given(st.floats(1.1, 30), st.floats(0, 10))
def test_burstier_arrivals_leave_less_room(ratio, variation):
    calm, bursty = (
        utilisation_bound(8, 1.0, deadline=ratio, target=0.99, arrival_variation=v)
        for v in (variation, variation + 1)
    )
    assert bursty <= calm + 1e-8


def test_a_service_slower_than_the_deadline_bears_nothing():
    assert utilisation_bound(8, 10.0, deadline=9.0, target=0.99) == 0.0


def test_clockwork_may_fill_its_time():
    bound = utilisation_bound(8, 1.0, deadline=2.0, target=0.99, arrival_variation=0.0)
    assert bound == pytest.approx(1.0)


def test_an_overloaded_queue_never_ends():
    assert mean_wait(2, 2.0, 1.0) == inf
    assert wait_exceeds(2, 2.0, 1.0, 1e9) == 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("service", 0.0), ("service", float("nan")), ("deadline", -1.0), ("target", 1.0),
     ("arrival_variation", -0.1), ("service_variation", inf), ("servers", 0)],
)  # fmt: skip
def test_nonsense_is_refused_by_name(field, value):
    given_ = {"servers": 4, "service": 1.0, "deadline": 3.0, "target": 0.9, field: value}
    with pytest.raises(InvalidRequest, match=field):
        utilisation_bound(given_.pop("servers"), given_.pop("service"), **given_)
