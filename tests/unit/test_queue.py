"""The queues: who goes first, what the bound counts, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from argus_core.errors import Exhausted
from argus_core.queue import DeadlineQueue, Entry, Queues, Rank


def entry(band=2, deadline=1.0, arrival=0, seconds=1.0):
    rank = Rank(band, deadline, arrival)
    return Entry(rank=rank, seconds=seconds, item=arrival)


ENTRIES = st.lists(
    st.builds(
        entry,
        band=st.integers(1, 3),
        deadline=st.floats(0, 100),
        arrival=st.integers(0, 10_000),
        seconds=st.floats(0, 10),
    ),
    unique_by=lambda e: e.rank.arrival,
    max_size=40,
)


@given(ENTRIES)
def test_order_is_band_then_deadline_then_arrival(entries):
    queues = Queues(limit=100)
    for each in entries:
        queues.push("v", each)
    popped = [queues.pop(["v"]).rank for _ in entries]
    assert popped == sorted(each.rank for each in entries)
    assert queues.pop(["v"]) is None


@given(ENTRIES, st.builds(Rank, st.integers(1, 3), st.floats(0, 100), st.just(-1)))
def test_work_ahead_is_of_those_that_go_first(entries, rank):
    queue = DeadlineQueue()
    for each in entries:
        queue.push(each)
    ahead = sum(e.seconds for e in sorted(entries, key=lambda e: e.rank) if e.rank < rank)
    assert queue.work_ahead(rank) == pytest.approx(ahead)
    assert queue.work == pytest.approx(sum(e.seconds for e in entries))


@given(ENTRIES, st.floats(0, 100))
def test_expiry_takes_exactly_those_whose_deadline_is_over(entries, now):
    queues = Queues(limit=100)
    for index, each in enumerate(entries):
        queues.push("ab"[index % 2], each)
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

    @rule(variant=st.sampled_from("abc"), band=st.integers(1, 3), deadline=st.integers(0, 5))
    def push(self, variant, band, deadline):
        self.arrivals += 1
        new = entry(band, float(deadline), self.arrivals)
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
        for variant in "abc":
            count = sum(v == variant for v, _ in self.model)
            assert len(self.queues.queue(variant)) == count


TestQueuesAgainstAList = QueuesAgainstAList.TestCase
