"""Queues by deadline: order, bound, sums over what waits, and that nothing is lost."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from argus_core.errors import Exhausted
from argus_core.queue import NONE, Entry, Queues, Rank

SECONDS = [4.0, 1.0, 0.5]
"""By level."""


def entry(band=2, deadline=1.0, arrival=0, **fields):
    return Entry(rank=Rank(band, deadline, arrival), item=arrival, **fields)


def lists(scales):
    return st.lists(
        st.builds(
            entry,
            band=st.integers(1, 3),
            deadline=st.floats(0, 100),
            arrival=st.integers(0, 10_000),
            level=st.sampled_from([NONE, 0, 1, 2]),
            quickest=st.sampled_from([NONE, 1, 2]),
            scale=scales,
            due=st.floats(0, 100),
        ),
        unique_by=lambda e: e.rank.arrival,
        max_size=40,
    )


ENTRIES = lists(st.sampled_from([0.0, 1.0]) | st.floats(0.01, 4))
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


@settings(deadline=None)
@given(ENTRIES)
def test_order_is_band_then_deadline_then_arrival(entries):
    queues = filled(entries)
    popped = [queues.pop("ab").rank for _ in entries]
    assert popped == sorted(each.rank for each in entries)
    assert queues.pop("ab") is None


@settings(deadline=None)
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


@settings(deadline=None)
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


@settings(deadline=None)
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
        queues.require_room(1, retry_after=lambda: 0.5)
    assert caught.value.retry_after == 0.5


def test_removed_twice_is_none_the_second_time():
    queues = Queues(limit=2)
    one = entry()
    queues.push("a", one)
    assert queues.remove(one.rank) is one
    assert queues.remove(one.rank) is None


WEIGHTS = {"x": 1.0, "y": 2.0, "z": 0.5}
TENANTS = lists(st.sampled_from([0.0, 0.25, 1.0, 2.0])).flatmap(
    lambda entries: st.tuples(
        st.just(entries),
        st.lists(st.sampled_from("xyz"), min_size=len(entries), max_size=len(entries)),
        st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from([0.5, 1.0, 4.0])), max_size=9),
    )
)
"""Entries, whose they are, and what was served before; all sums of theirs are exact."""


def shared(drawn):
    """Queues of several tenants, and the entries in the order in which they go, one at a time."""
    entries, tenants, served = drawn

    def make():
        queues = Queues(limit=1000, weight=WEIGHTS.__getitem__)
        queues.weigh(SECONDS)
        for tenant, each in zip(tenants, entries, strict=True):
            each.tenant = tenant
        for index, each in enumerate(entries):
            queues.push("ab"[index % 2], each)
        for tenant, seconds in served:
            if tenant in queues.tenants:
                queues.charge(1, tenant, seconds)
        return queues

    order, going = [], make()
    while (each := going.pop("ab")) is not None:
        order.append(each)
        going.charge(each.rank.band, each.tenant, takes(each, each.level))
    return make(), order


@settings(deadline=None)
@given(TENANTS)
def test_turns_go_by_tenant_and_by_deadline_within_one(drawn):
    _, order = shared(drawn)
    assert len(order) == len(drawn[0])
    assert [e.rank.band for e in order] == sorted(e.rank.band for e in order)
    for tenant in WEIGHTS:
        mine = [each.rank for each in order if each.tenant == tenant]
        assert mine == sorted(mine)


@settings(deadline=None)
@given(TENANTS)
def test_work_ahead_of_each_is_of_those_whose_turn_comes_before(drawn):
    queues, order = shared(drawn)
    for position, each in enumerate(order):
        ahead = queues.ahead(each.rank, each.tenant)
        before = sum(takes(e, e.level) for e in order[:position])
        assert sum(ahead.settled.values()) == pytest.approx(before)
        own = queues.own(each.tenant, each.rank)
        mine = [e for e in order if e.tenant == each.tenant and e.rank < each.rank]
        assert sum(own.settled.values()) == pytest.approx(sum(takes(e, e.level) for e in mine))


@settings(deadline=None)
@given(TENANTS, st.sampled_from(["", "x", "xy"]), st.booleans())
def test_leeway_goes_by_turns_too(drawn, ignored, all_of_them):
    queues, order = shared(drawn)
    behind = None if all_of_them or not order else order[len(order) // 2]
    found = queues.leeway(
        ["a", "b"],
        {"a": 1.0, "b": 1.0},
        slots=2,
        busy=1.0,
        now=0.0,
        behind=None if behind is None else behind.rank,
        tenant="" if behind is None else behind.tenant,
        ignored=[*ignored],
    )
    ample, ahead, counts = inf, 0.0, behind is None
    for each in order:
        counts = counts or each is behind
        least = takes(each, each.quickest)
        if counts and each.tenant not in ignored and each.rank.deadline > least:
            due = min(each.due, each.rank.deadline)
            ample = min(ample, 2 * due - 1.0 - ahead - 2 * least)
        ahead += least
    assert found.ample == pytest.approx(ample)


def test_a_full_queue_lets_in_who_has_less_than_its_share():
    queues = Queues(limit=8, bytes_limit=1000)
    for arrival in range(8):
        queues.push("a", entry(arrival=arrival, tenant="noisy"))
    with pytest.raises(Exhausted):
        queues.require_room(1, tenant="noisy", share=0.5)
    queues.require_room(2, tenant="quiet", share=0.5)
    with pytest.raises(Exhausted):
        queues.require_room(3, tenant="quiet", share=0.5)


def test_places_are_left_for_others_where_they_are_reserved():
    queues = Queues(limit=8)
    for arrival in range(4):
        queues.push("a", entry(arrival=arrival, tenant="noisy"))
    queues.require_room(2, tenant="noisy", share=0.25, reserved=0.25)
    with pytest.raises(Exhausted):
        queues.require_room(3, tenant="noisy", share=0.25, reserved=0.25)


def test_bytes_are_bounded_too():
    queues = Queues(limit=100, bytes_limit=1000)
    queues.push("a", entry(arrival=1, size=900))
    assert queues.held() == (1, 900)
    queues.require_room(1, 100)
    with pytest.raises(Exhausted, match="bytes"):
        queues.require_room(1, 101)
    queues.pop("a")
    queues.require_room(1, 1000)


def test_a_tenant_that_is_gone_leaves_nothing():
    queues = Queues(limit=100_000)
    queues.weigh(SECONDS)
    for arrival in range(1000):
        queues.push("a", entry(arrival=arrival, tenant=f"t{arrival}", level=0))
        if arrival % 10 == 9:
            for _ in range(10):
                taken = queues.pop("a")
                queues.charge(taken.rank.band, taken.tenant, 1.0)
    assert not queues.tenants
    assert not len(queues._turns[2])
    assert len(queues._free) <= 10


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
