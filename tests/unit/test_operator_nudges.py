"""Owners whose pods are refused are touched at a bounded pace, and no others."""

from argus_operator.nudges import Nudges
from helpers import Clock


def test_an_owner_is_touched_no_oftener_than_it_may_tell_of_its_tries():
    nudges, touched = Nudges(clock := Clock()), []
    for clock.now in range(0, 1000, 60):
        touched += [clock.now for _ in nudges.due(["StatefulSet demo-cpu"])]
    assert touched == [300, 600, 900]


def test_a_refusal_that_was_over_begins_anew_and_each_owner_is_its_own():
    nudges = Nudges(clock := Clock())
    nudges.due(["a"])
    clock.now = 300
    assert nudges.due(["a", "b"]) == ["a"]
    clock.now = 400
    assert nudges.due(["b"]) == []
    clock.now = 600
    assert nudges.due(["a", "b"]) == ["b"]
    clock.now = 900
    assert nudges.due(["a"]) == ["a"]
