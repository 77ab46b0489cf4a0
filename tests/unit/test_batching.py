"""What is gained by drawing several images at once."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_control.levels import levels_of, worker_seconds
from argus_control.planning import Planning, costs_of, rules_of
from argus_core.batching import measured, most, times
from argus_core.errors import InvalidRequest
from router_support import cluster_of

GAINS, GAINS_UP_TO_TWO, NONE = (1.0, 1.2, 1.5, 1.9), (1.0, 1.2, 2.2, 2.4), (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("batches", "slots", "found"),
    [
        (GAINS, 8, 4),
        (GAINS, 3, 3),
        (GAINS_UP_TO_TWO, 4, 2),
        (NONE, 3, 1),
        ((1.0,), 4, 1),
        ((1.0, 1.99), 2, 1),
        ((), 4, 4),
    ],
)
def test_as_many_are_drawn_at_once_as_each_makes_all_cheaper(batches, slots, found):
    assert most(batches, slots) == found


@given(st.dictionaries(st.integers(2, 12), st.floats(0.01, 10)), st.floats(0.01, 10))
def test_batches_of_whatever_was_measured_rise_by_no_more_than_an_image(timed, alone):
    batches = measured({1: alone, **timed})
    assert batches[0] == 1
    assert len(batches) == max(timed, default=1)
    assert all(a <= b <= a + 1 + 1e-3 for a, b in pairwise(batches))


def test_batches_between_those_measured_lie_on_a_line():
    assert measured({1: 2.0, 2: 1.2, 4: 0.9}) == (1.0, 1.2, 1.5, 1.8)
    assert times(GAINS, 9) == 1.9


def test_the_plan_reckons_with_batches_where_slots_let_it():
    pools = [{"name": "cpu", "workers": 2, "slots": 3}]
    spec = cluster_of(pools=pools, batches={"quick": GAINS, "good": NONE}).spec
    best, good, quick = spec.ladder
    assert worker_seconds(quick, spec) == {"cpu": pytest.approx(0.1 * 1.5 / 3)}
    assert (worker_seconds(good, spec), worker_seconds(best, spec)) == (good.seconds, best.seconds)
    assert [level.batches for level in levels_of(spec)] == [(1.0,), (1.0,), GAINS[:3]]
    assert costs_of(spec)[2] == rules_of(spec, Planning()).levels[2].seconds


@pytest.mark.parametrize("batches", [(1.1, 1.2), (1.0, 0.9), (1.0, 2.5)])
def test_batches_that_cannot_be_are_refused_by_field(batches):
    with pytest.raises(InvalidRequest, match="batches.cpu"):
        cluster_of(batches={"quick": batches})
