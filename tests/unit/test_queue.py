"""Queues by deadline: order, bound, sums over what waits, and that nothing is lost."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from argus_core.errors import Exhausted
from argus_core.queue import NONE, Entry, Queues, Rank

SECONDS = [4.0, 1.0, 0.5]
"""By level."""


def entry(band=2, deadline=1.0, arrival=0, **fields):
    return Entry(rank=Rank(band, deadline, arrival), item=arrival, **fields)


ENTRIES = st.lists(
    st.builds(
        entry,
        band=st.integers(1, 3),
        deadline=st.floats(0, 100),
        arrival=st.integers(0, 10_000),
        level=st.sampled_from([NONE, 0, 1, 2]),
        quickest=st.sampled_from([NONE, 1, 2]),
        scale=st.sampled_from([0.0, 1.0]) | st.floats(0.01, 4),
        due=st.floats(0, 100),
    ),
    unique_by=lambda e: e.rank.arrival,
    max_size=40,
)
SHARES = st.fixed_dictionaries({}, optional={v: st.sampled_from([0.5, 1.0]) for v in "abc"})


def takes(each, level):
    return 0.0 if level == NONE else each.scale * SECONDS[level]


def filled(entries):
    """Every second entry waits for `a`, the others for `b`."""
    queues = Queues(limit=1000)
    queues.weigh([2 * seconds for seconds in SECONDS])
    for index, each in enumerate(entries):
        queues.push("ab"[index % 2], each)
    queues.weigh(SECONDS)
    return queues


@given(ENTRIES)
def test_order_is_band_then_deadline_then_arrival(entries):
    queues = filled(entries)
    popped = [queues.pop("ab").rank for _ in entries]
    assert popped == sorted(each.rank for each in entries)
    assert queues.pop("ab") is None


@given(ENTRIES, st.builds(Rank, st.integers(1, 3), st.floats(0, 100), st.just(-1)))
def test_work_ahead_is_of_those_that_go_first_at_what_levels_take_now(entries, rank):
    queues = filled(entries)
    for before in (rank, None):
        ahead = queues.ahead(before)
        for variant, mine in (("a", entries[::2]), ("b", entries[1::2])):
            first = [e for e in mine if before is None or e.rank < before]
            settled = sum(takes(e, e.level) for e in first)
            assert ahead.settled.get(variant, 0.0) == pytest.approx(settled)
            least = sum(takes(e, e.quickest) for e in first)
            assert ahead.least.get(variant, 0.0) == pytest.approx(least)


def plain_leeway(entries, variants, shares, *, slots, busy, now, first, behind):
    """By going through them one by one."""
    ample = strained = stretch = inf
    ahead = 0.0
    for index, each in sorted(enumerate(entries), key=lambda pair: pair[1].rank):
        variant, least = "ab"[index % 2], takes(each, each.quickest)
        deadline = each.rank.deadline
        counts = variant in variants and (behind is None or each.rank >= behind)
        if counts and deadline - least > now:
            due = min(each.due, deadline)
            later = (due + deadline) / 2
            work = ahead + slots * least
            ample = min(ample, slots * (due - now) - busy - work)
            strained = min(strained, slots * (later - now) - busy - work)
            if work + first > 0:
                stretch = min(stretch, (slots * (later - now) - busy) / (work + first))
        ahead += shares.get(variant, 0.0) * least
    return ample, strained, stretch


@given(
    ENTRIES,
    st.sampled_from(["a", "ab", "c"]),
    SHARES,
    st.fixed_dictionaries(
        {
            "slots": st.integers(1, 8),
            "busy": st.floats(0, 20),
            "now": st.floats(0, 100),
            "first": st.sampled_from([0.0, 0.5]),
            "behind": st.none()
            | st.builds(Rank, st.integers(1, 3), st.floats(0, 100), st.just(-1)),
        }
    ),
)
def test_leeway_is_what_may_go_first_before_one_is_not_done_when_due(
    entries, variants, shares, asked
):
    found = filled(entries).leeway([*variants], shares, **asked)
    assert found == pytest.approx(plain_leeway(entries, variants, shares, **asked))


def test_levels_that_others_may_draw_at_change_the_least_work():
    queues = filled([entry(arrival=1, quickest=2), entry(arrival=2, quickest=2)])
    queues.hasten(lambda variant, item: 1 if variant == "a" else NONE)
    assert queues.ahead().least == {"a": 1.0, "b": 0.0}


@given(ENTRIES, st.floats(0, 100))
def test_expiry_takes_exactly_those_whose_deadline_is_over(entries, now):
    queues = filled(entries)
    over = queues.expire(now)
    assert {e.rank for e in over} == {e.rank for e in entries if e.rank.deadline <= now}
    assert [e.rank.deadline for e in over] == sorted(e.rank.deadline for e in over)
    assert len(queues) == len(entries) - len(over)
    left = [e.rank.deadline for e in entries if e.rank.deadline > now]
    assert queues.next_deadline() == min(left, default=None)


def test_pop_compares_the_queues_of_all_variants_asked_for():
    queues = Queues(limit=10)
    queues.push("a", entry(deadline=3, arrival=1))
    queues.push("b", entry(deadline=2, arrival=2))
    queues.push("c", entry(deadline=1, arrival=3))
    assert queues.pop(["a", "b"]).item == 2
    assert queues.pop(["b"]) is None
    assert queues.variants() == ["a", "c"]


def test_bound_counts_all_queues_together_and_says_when_to_retry():
    queues = Queues(limit=2)
    queues.push("a", entry(arrival=1))
    queues.require_room(1)
    queues.push("b", entry(arrival=2))
    with pytest.raises(Exhausted) as caught:
        queues.require_room(1, retry_after=0.5)
    assert caught.value.retry_after == 0.5


def test_removed_twice_is_none_the_second_time():
    queues = Queues(limit=2)
    one = entry()
    queues.push("a", one)
    assert queues.remove(one.rank) is one
    assert queues.remove(one.rank) is None


class QueuesAgainstAList(RuleBasedStateMachine):
    """The queues against the plainest model: a list of (variant, entry)."""

    def __init__(self):
        super().__init__()
        self.queues, self.model, self.arrivals = Queues(limit=1000), [], 0
        self.queues.weigh(SECONDS)

    @rule(variant=st.sampled_from("abc"), band=st.integers(1, 3), deadline=st.integers(0, 5))
    def push(self, variant, band, deadline):
        self.arrivals += 1
        new = entry(band, float(deadline), self.arrivals, level=0, quickest=1)
        self.queues.push(variant, new)
        self.model.append((variant, new))

    @rule(variants=st.sets(st.sampled_from("abc")))
    def pop(self, variants):
        waiting = [e for v, e in self.model if v in variants]
        first = min(waiting, key=lambda e: e.rank, default=None)
        assert self.queues.pop(variants) is first
        self.model = [(v, e) for v, e in self.model if e is not first]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data):
        gone = data.draw(st.sampled_from(self.model))
        assert self.queues.remove(gone[1].rank) is gone[1]
        self.model.remove(gone)

    @rule(variant=st.sampled_from("abc"))
    def take(self, variant):
        taken = sorted((e for v, e in self.model if v == variant), key=lambda e: e.rank)
        assert list(self.queues.take(variant)) == taken
        self.model = [(v, e) for v, e in self.model if v != variant]

    @invariant()
    def nothing_is_lost(self):
        assert len(self.queues) == len(self.model)
        ahead = self.queues.ahead()
        for variant in "abc":
            waiting = sorted((e for v, e in self.model if v == variant), key=lambda e: e.rank)
            assert self.queues.entries(variant) == waiting
            assert self.queues.count(variant) == len(waiting)
            assert self.queues.head(variant) is (waiting[0] if waiting else None)
            assert ahead.settled.get(variant, 0.0) == 4.0 * len(waiting)
            assert ahead.least.get(variant, 0.0) == 1.0 * len(waiting)


TestQueuesAgainstAList = QueuesAgainstAList.TestCase
