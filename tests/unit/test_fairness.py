"""Sharing between tenants: by weight, to within one image, saving nothing up, leaving nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from argus_core.fairness import Turns, fair_rates

COSTS = st.sampled_from([0.1, 0.5, 1.0, 2.0])
WEIGHTS = {"a": 1.0, "b": 2.0, "c": 0.5, "d": 4.0}


def turns(*, credit=0.0):
    return Turns(WEIGHTS.__getitem__, credit=credit)


def waiting(*tenants, count=10_000, **options):
    found = turns(**options)
    for tenant in tenants:
        for _ in range(count):
            found.join(tenant)
    return found


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys("abcd", COSTS)), min_size=1, max_size=300))
def test_served_seconds_over_weight_differ_by_at_most_an_image_of_either(costs):
    mine, served = waiting(*WEIGHTS), dict.fromkeys(WEIGHTS, 0.0)
    for cost in costs:
        tenant = mine.first(WEIGHTS)
        mine.serve(tenant, cost[tenant])
        mine.leave(tenant)
        served[tenant] += cost[tenant] / WEIGHTS[tenant]
        dearest = {t: max(c[t] for c in costs) / WEIGHTS[t] for t in WEIGHTS}
        for one in WEIGHTS:
            for other in WEIGHTS:
                apart = abs(served[one] - served[other])
                assert apart <= dearest[one] + dearest[other] + 1e-6


@settings(deadline=None)
@given(st.integers(1, 500), COSTS, COSTS)
def test_who_begins_to_wait_is_served_after_at_most_one_of_each_other(count, cost, own):
    mine = waiting("a", "b")
    for _ in range(count):
        tenant = mine.first(["a", "b"])
        mine.serve(tenant, cost)
    mine.join("d")
    before = []
    while (tenant := mine.first(["a", "b", "d"])) != "d":
        before.append(tenant)
        mine.serve(tenant, cost)
    mine.serve("d", own)
    assert max(map(before.count, ["a", "b"])) <= 1


@settings(deadline=None)
@given(st.integers(1, 1000), st.sampled_from([0.0, 2.0, 5.0]))
def test_no_more_is_saved_up_by_not_asking_than_the_credit(before, credit):
    mine = waiting("a", credit=credit)
    for _ in range(before):
        mine.serve("a", 1.0)
    for _ in range(1000):
        mine.join("b")
    count = 0
    while mine.first(["a", "b"]) == "b":
        mine.serve("b", 1.0)
        count += 1
    assert min(before - 1, credit) * WEIGHTS["b"] <= count <= (credit + 1) * WEIGHTS["b"] + 1


def test_who_waited_for_scarce_workers_goes_first_no_longer_than_its_credit():
    mine = waiting("a", "d", credit=5.0)
    for _ in range(1000):
        mine.serve("d", 1.0)
    count = 0
    while mine.first(["a", "d"]) == "a":
        mine.serve("a", 1.0)
        count += 1
    assert 1 <= count <= 6


def test_what_took_longer_than_thought_is_charged_afterwards():
    mine = waiting("a", "c")
    mine.serve("a", 0.5)
    mine.correct("a", 3.5)
    order = []
    for _ in range(3):
        order.append(mine.first(["a", "c"]))
        mine.serve(order[-1], 1.0)
    assert order == ["c", "c", "a"]


class NobodyLeavesAnything(RuleBasedStateMachine):
    """Tenants come, are served, and go."""

    def __init__(self):
        super().__init__()
        self.turns, self.waiting = turns(), []

    @rule(tenant=st.sampled_from("abcd"))
    def join(self, tenant):
        self.turns.join(tenant)
        self.waiting.append(tenant)

    @precondition(lambda self: self.waiting)
    @rule(cost=COSTS)
    def serve(self, cost):
        tenant = self.turns.first(sorted(set(self.waiting)))
        self.waiting.remove(tenant)
        self.turns.serve(tenant, cost)
        self.turns.leave(tenant)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def go(self, data):
        tenant = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(tenant)
        self.turns.leave(tenant)

    @invariant()
    def little_is_kept(self):
        assert len(self.turns) <= len(WEIGHTS)
        if not self.waiting:
            assert len(self.turns) == 0


TestNobodyLeavesAnything = NobodyLeavesAnything.TestCase


def test_who_is_gone_is_forgotten_while_others_go_on():
    mine = waiting("b")
    mine.join("a")
    mine.serve("a", 2.0)
    mine.leave("a")
    assert len(mine) == 2
    for _ in range(6):
        mine.serve("b", 1.0)
    assert len(mine) == 1


def test_credit_is_forgotten_with_who_had_it():
    mine = waiting("b", credit=3.0)
    mine.join("a")
    mine.serve("a", 1.0)
    mine.leave("a")
    for _ in range(20):
        mine.serve("b", 1.0)
    assert len(mine) == 1
    assert mine.tag("a") == mine.tag("c")


DEMANDS = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 10), min_size=1)


@settings(deadline=None)
@given(DEMANDS, st.floats(0, 20))
def test_rates_are_max_min_fair(demands, capacity):
    rates = fair_rates(demands, WEIGHTS, capacity)
    assert sum(rates.values()) == pytest.approx(min(capacity, sum(demands.values())))
    short = {t for t in demands if rates[t] < demands[t] - 1e-9}
    for tenant in short:
        for other in demands:
            mine = rates[tenant] / WEIGHTS[tenant]
            assert rates[other] / WEIGHTS[other] <= mine + 1e-9
