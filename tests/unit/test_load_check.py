"""The checker: every request has exactly one answer, in time, with a code that means something."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_cli.load.checking import problems
from argus_cli.load.figures import by_tenant, figures
from argus_cli.load.record import Record, read, write
from argus_core.errors import InvalidRequest

GOOD = Record(
    number=0, prompt=0, tenant="", intended=1.0, sent=1.001, first=1.1, last=2.0, deadline=5.0,
    code="OK", answers=1, level="best", worker="w0", request_id="r", quality=0.9, attempts=1,
)  # fmt: skip


def records(count, **changed):
    return [replace(GOOD, number=n, **changed) for n in range(count)]


def wrong(*given, expected=None, grace=1.0):
    return problems(given, expected=len(given) if expected is None else expected, grace=grace)


def test_requests_with_one_answer_each_are_well():
    assert not wrong(*records(5))
    assert not wrong(replace(GOOD, code="RESOURCE_EXHAUSTED"))
    assert not wrong(replace(GOOD, code="DEADLINE_EXCEEDED", last=6.9))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"answers": 2}, "2 final answers"),
        ({"answers": 0}, "0 final answers"),
        ({"last": 7.5}, "after its deadline"),
        ({"last": None}, "not told when"),
        ({"code": "Oops"}, "a code that gRPC does not have"),
        ({"code": "INTERNAL", "message": "broke"}, "without a reason: broke"),
        ({"code": "UNANSWERED"}, "has no answer"),
        ({"code": "DROPPED"}, "was sent and is called dropped"),
    ],
)
def test_each_kind_of_fault_is_told(changed, said):
    (problem,) = wrong(replace(GOOD, **changed))
    assert said in problem


def test_what_was_dropped_here_is_no_fault_of_the_server():
    assert not wrong(replace(GOOD, code="DROPPED", sent=None, last=None, answers=0))


@given(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)))
def test_every_lost_and_every_doubled_request_is_named(lost, doubled):
    given_ = [r for r in records(20) if r.number not in lost]
    given_ += [replace(GOOD, number=n) for n in sorted(doubled - lost)]
    found = problems(given_, expected=20, grace=1.0)
    assert {p.split()[1] for p in found if "is lost" in p} == {str(n) for n in lost}
    assert {p.split()[1] for p in found if "told of 2 times" in p} == {
        str(n) for n in doubled - lost
    }
    assert len(found) == len(lost) + len(doubled - lost)


def test_records_are_read_as_they_were_written(tmp_path):
    write(records(3), tmp_path / "log")
    assert read(tmp_path / "log") == records(3)


def test_a_line_that_is_no_record_is_named(tmp_path):
    (tmp_path / "log").write_text('{"number": 1}\n')
    with pytest.raises(InvalidRequest, match="log:1"):
        read(tmp_path / "log")


def test_latency_counts_from_when_a_request_should_have_been_sent():
    late = replace(GOOD, intended=0.0, sent=4.0, last=5.5)
    assert figures([late], duration=10.0).seconds["p50"] == pytest.approx(5.5)
    assert figures([late], duration=10.0).lag["p50"] == pytest.approx(4.0)
    assert not late.in_time


def test_figures_count_each_request_once():
    mixed = [
        *records(6),
        replace(GOOD, number=6, last=9.0),
        replace(GOOD, number=7, code="RESOURCE_EXHAUSTED", last=1.003),
        replace(GOOD, number=8, code="UNAVAILABLE"),
        replace(GOOD, number=9, code="DROPPED", sent=None, last=None),
    ]
    found = figures(mixed, duration=2.0)
    assert (found.requests, found.delivered, found.in_time) == (10, 7, 6)
    assert (found.refused, found.failed, found.dropped) == (1, 1, 1)
    assert found.violations == pytest.approx(0.4)
    assert found.goodput == pytest.approx(3.0)
    assert found.refusal_seconds["p99"] == pytest.approx(0.002)
    assert found.levels == {"best": 7}


def test_tenants_are_told_apart():
    found = by_tenant([*records(3, tenant="a"), *records(1, tenant="b")], duration=1.0)
    assert {name: f.requests for name, f in found.items()} == {"a": 3, "b": 1}
