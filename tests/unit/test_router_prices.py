"""Prices at a router: the plan's, raised by what waits."""

import pytest

from argus_protos.v1 import cluster_pb2
from argus_router.prices import Prices, Standing
from router_support import cluster_of

SECONDS = [2.0, 1.0, 0.1]
"""Of best and good, by large, and of quick, by tiny."""
QUALITIES = {"best": 1.0, "good": 0.9, "quick": 0.6}


def plan_of(rate=0.0, **prices):
    return cluster_pb2.Plan(
        id=1,
        forecast_rate=rate,
        allocations=[
            cluster_pb2.Allocation(pool="cpu", loadout=[variant], workers=1, price=price)
            for variant, price in prices.items()
        ],
    )


def standing(backlog=0.0, *, idle=False, slots=1):
    return Standing(slots=slots, backlog=backlog, idle=idle)


def told(prices, *, large=None, tiny=None, now=0.0):
    large, tiny = large or standing(idle=True), tiny or standing(idle=True)
    return prices.of({"large": large, "tiny": tiny}, SECONDS, now)


@pytest.fixture
def prices():
    return Prices(cluster_of().spec)


def busy(prices, images=40, now=0.0):
    prices.saw(QUALITIES, images, now)
    return prices


def test_time_costs_nothing_without_a_plan_and_without_a_backlog(prices):
    assert told(busy(prices)) == {"large": 0.0, "tiny": 0.0}


def test_backlog_raises_the_price_even_without_a_plan(prices):
    busy(prices)
    rising = [told(prices, large=standing(backlog))["large"] for backlog in (0, 1, 5, 15, 100)]
    assert rising == sorted(rising)
    assert rising[0] == 0 < rising[1] < rising[-1]


def test_a_backlog_counts_for_more_where_requests_have_less_time_than_is_promised(prices):
    hurried = Prices(cluster_of().spec)
    busy(prices, 5)
    for _ in range(5):
        hurried.saw(QUALITIES, 1, 0.0, remaining=5.0)
    promised, urgent = (told(one, large=standing(3.0))["large"] for one in (prices, hurried))
    assert urgent > 2 * promised
    for _ in range(6):
        hurried.saw(QUALITIES, 1, 10.0, remaining=1000.0)
    busy(prices, 6, now=10.0)
    promised, patient = (
        told(one, large=standing(3.0), now=20.0)["large"] for one in (prices, hurried)
    )
    assert patient < urgent / 2
    assert patient == pytest.approx(promised), "no more time than is promised counts"


def test_a_full_queue_costs_the_more_the_dearer_the_document_says_refusing_is(prices):
    dear = Prices(cluster_of(planning={"shedLoss": 20}).spec)
    busy(prices), busy(dear)
    usual, dearer = (told(one, large=standing(100.0))["large"] for one in (prices, dear))
    assert dearer == pytest.approx(usual + 18.0), "at 18 more, by the level of one second"


def test_price_falls_with_the_backlog(prices):
    busy(prices)
    high = told(prices, large=standing(18.0))["large"]
    assert told(prices, large=standing(1.0))["large"] < high
    assert told(prices)["large"] == 0.0


def test_price_of_the_plan_is_the_least_while_no_worker_is_free(prices):
    prices.apply(plan_of(large=0.3, tiny=0.0))
    assert told(prices, large=standing(0.0))["large"] == pytest.approx(0.3)
    assert told(prices, large=standing(0.0, idle=True))["large"] == 0.0


def test_variant_costs_the_cheapest_of_the_loadouts_that_hold_it(prices):
    plan = plan_of(large=0.3)
    plan.allocations.add(pool="cpu", loadout=["large", "tiny"], workers=1, price=0.1)
    plan.allocations.add(pool="cpu", loadout=["tiny"], workers=0, price=0.0)
    prices.apply(plan)
    both = told(prices, large=standing(0.0), tiny=standing(0.0))
    assert both == {"large": pytest.approx(0.1), "tiny": pytest.approx(0.1)}


def test_newer_plan_takes_the_place_of_the_older(prices):
    prices.apply(plan_of(large=0.3))
    prices.apply(plan_of(tiny=0.2))
    both = told(prices, large=standing(0.0), tiny=standing(0.0))
    assert both == {"large": 0.0, "tiny": pytest.approx(0.2)}


def test_forecast_of_the_plan_counts_before_anything_has_arrived(prices):
    assert told(prices, large=standing(10.0))["large"] == 0.0
    prices.apply(plan_of(rate=2.0, large=0.0))
    assert told(prices, large=standing(10.0))["large"] > 0.0


def test_workers_that_come_lower_the_price_at_once(prices):
    busy(prices)
    alone = told(prices, large=standing(1.0, slots=1))["large"]
    assert told(prices, large=standing(1.0, slots=8))["large"] < alone


def test_variant_that_nobody_holds_costs_nothing(prices):
    busy(prices)
    assert told(prices, large=standing(0.0, slots=0))["large"] == 0.0


def test_variants_that_share_workers_do_not_count_them_twice(prices):
    """Two workers hold both; two more would carry the load at lower prices."""
    busy(prices)
    both = [Standing(slots=2, backlog=5.0, idle=False, kin="large", kin_slots=2)] * 2
    shared = told(prices, large=both[0], tiny=both[1])
    assert shared["large"] == shared["tiny"] > 0
    apart = [Standing(slots=2, backlog=5.0, idle=False)] * 2
    assert told(prices, large=apart[0], tiny=apart[1])["large"] != shared["large"]


def test_price_is_that_of_refusing_where_the_door_closes(prices):
    busy(prices)
    deadline = cluster_of().spec.slo.deadline_seconds
    at_the_door = told(prices, large=standing(0.81 * deadline))["large"]
    assert at_the_door == told(prices, large=standing(2 * deadline))["large"]
