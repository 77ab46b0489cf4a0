"""An API server that is away is told of once, and once when it is back."""

import pytest

from argus_core.errors import Unavailable
from argus_operator.gateway import Away
from argus_operator.outage import Outage
from argus_operator.setbacks import Setbacks
from helpers import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def outage(clock, told):
    made = Outage(clock, told.append)
    made.kept = lambda: 1000
    return made


AWAY = Away("the API server does not answer: refused")


def test_an_outage_is_told_of_once_and_its_end_once(outage, clock, told):
    clusters = [Setbacks(f"here/demo-{n}", outage) for n in range(1000)]
    for _ in range(5):
        clock.now += 3
        began = clock.now
        for one in clusters:
            outage.failed("no answer")
            assert not one.failed(AWAY, began).told
    assert told == ["no answer; 1000 clusters wait for it, and all that runs goes on"]
    clock.now += 1
    for one in clusters[:2]:
        outage.answered()
        one.over()
    assert told[1:] == [
        "the API server answers again after 13 s; 1000 clusters to be looked at anew"
    ]
    assert len(outage.waiting) == 998


def test_a_connection_that_breaks_is_no_outage(outage, clock, told):
    for _ in range(10):
        outage.failed("broke")
        clock.now += 1.9
        outage.answered()
    assert not told


def test_who_is_not_answered_while_others_are_tells_so_once(outage, clock):
    one, other = Setbacks("here/demo", outage), Setbacks("here/other", outage)
    said = []
    for _ in range(4):
        began, clock.now = clock.now, clock.now + 10
        other.over()
        outage.failed("timeout")
        said.append(one.failed(AWAY, began).told)
    assert said == [False, True, False, False]


def test_an_api_server_that_answers_no_look_yet_is_no_clusters_own_trouble(outage, clock):
    """One that begins knows leases sooner than ArgusClusters."""
    one = Setbacks("here/demo", outage)
    for _ in range(4):
        began, clock.now = clock.now, clock.now + 1
        outage.answered()
        assert not one.failed(AWAY, began).told


def test_errors_of_a_clusters_own_are_told_of_once_each(outage):
    one = Setbacks("here/demo", outage)
    errors = [Unavailable("odd"), Unavailable("odd"), ValueError("a bug")]
    assert [one.failed(error, 0.0).told for error in errors] == [True, False, True]
    one.over()
    assert one.failed(errors[0], 0.0).told


def test_failures_are_tried_again_later_each_time_and_never_sooner_than_was_asked(outage):
    one = Setbacks("here/demo", outage)
    assert [one.failed(AWAY, 0.0).pause for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    one.over()
    assert one.failed(Away("busy", after=7), 0.0).pause == 7
    assert one.failed(Away("busy", after=1e6), 0.0).pause == 60
