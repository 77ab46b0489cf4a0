"""What images take, as routers tell it, against what the document says."""

from math import inf

import pytest

from argus_control.measured import Measured
from argus_protos.v1 import control_pb2
from argus_rpc.convert import duration

STATED = [{"a": 1.0, "b": 2.0}, {"a": 0.5}, {"a": inf}]
NAMES = ["best", "quick", "closed"]


def told(router="r", **seconds):
    """A report: seconds of levels on type a."""
    return control_pb2.LoadReport(
        router=router,
        seconds=[
            control_pb2.LevelSeconds(level=level, gpu_type="a", seconds=duration(took))
            for level, took in seconds.items()
        ],
    )


@pytest.fixture
def measured():
    return Measured()


def test_what_nobody_measured_is_as_stated(measured):
    assert measured.costs(NAMES, STATED, 0.0) == STATED
    measured.hear(told(), 0.0)
    assert measured.costs(NAMES, STATED, 0.0) == STATED


def test_what_was_measured_takes_the_place_of_what_is_stated_for_its_type_alone(measured):
    measured.hear(told(best=3.0), 0.0)
    assert measured.costs(NAMES, STATED, 1.0) == [{"a": 3.0, "b": 2.0}, {"a": 0.5}, {"a": inf}]


def test_closed_level_stays_closed(measured):
    measured.hear(told(closed=1.0), 0.0)
    assert measured.costs(NAMES, STATED, 1.0)[2] == {"a": inf}


def test_several_routers_count_alike_and_each_with_its_last_word(measured):
    measured.hear(told("r", quick=9.0), 0.0)
    measured.hear(told("r", quick=1.0), 1.0)
    measured.hear(told("s", quick=2.0), 1.0)
    assert measured.costs(NAMES, STATED, 2.0)[1]["a"] == pytest.approx(1.5)


def test_router_that_is_silent_is_forgotten(measured):
    measured.hear(told(quick=2.0), 0.0)
    assert measured.costs(NAMES, STATED, 59.0)[1]["a"] == 2.0
    assert measured.costs(NAMES, STATED, 61.0) == STATED


def test_what_cannot_be_is_bounded(measured):
    measured.hear(told(best=1000.0, quick=1e-6), 0.0)
    assert measured.costs(NAMES, STATED, 0.0)[:2] == [{"a": 10.0, "b": 2.0}, {"a": 0.05}]
