"""Who belongs together by the workers that they share."""

from argus_core.kin import kin, numbered


def test_those_that_one_worker_holds_are_kin():
    assert kin("abc", [("a", "c"), ("b",)]) == {"a": "a", "b": "b", "c": "a"}


def test_kin_of_kin_are_kin():
    assert kin("abcd", [("c", "d"), ("b", "c"), ("a",)]) == {"a": "a", "b": "b", "c": "b", "d": "b"}


def test_what_nobody_holds_is_alone():
    assert kin("ab", []) == {"a": "a", "b": "b"}


def test_kin_are_numbered_in_their_order():
    assert numbered(kin("abcd", ["bd", "a"])) == {"a": 0, "b": 1, "c": 2, "d": 1}
