"""What is remembered of plans, and for how long."""

import pytest

from argus_control.history import MOST, WATCHED, History
from argus_control.records import Queues
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.convert import duration, seconds


def plan(number, *, changes=True, followed=True):
    inputs = control_pb2.PlanInputs(expected_rate=1.0)
    return control_pb2.PlanRecord(
        plan=cluster_pb2.Plan(id=number), inputs=inputs, changes=changes, followed=followed
    )


def test_switches_are_counted_until_the_last_is_made():
    history = History()
    history.decided(plan(1), 100.0, awaited={"a": ("tiny",), "b": ("tiny",)})
    history.serve({"a": ("large",)}, 101.0)
    history.serve({"a": ("tiny",), "b": ("large",)}, 104.0)
    (record,) = history.records
    assert (record.aftermath.switches, record.aftermath.switched) == (2, 1)
    assert not record.aftermath.HasField("took")
    history.serve({"b": ("tiny",)}, 107.5)
    assert record.aftermath.switched == 2
    assert seconds(record.aftermath.took) == 7.5
    assert not record.aftermath.over


def test_a_plan_that_changes_nothing_takes_nothing_from_the_change_before():
    history = History()
    history.decided(plan(1), 0.0, awaited={"a": ("tiny",)})
    history.decided(plan(2, changes=False), 10.0, awaited={})
    history.fare(3, 1, 11.0)
    history.decided(plan(3, changes=False), 20.0, awaited={})
    history.fare(5, 0, 21.0)
    history.serve({"a": ("tiny",)}, 22.0)
    first, second, third = history.records
    assert (first.aftermath.fared.met, first.aftermath.fared.missed) == (8, 1)
    assert (second.aftermath.fared.met, third.aftermath.fared.met) == (3, 5)
    assert second.aftermath.over
    assert seconds(first.aftermath.took) == 22.0


def test_the_next_change_ends_the_account_of_the_one_before():
    history = History()
    history.decided(plan(1), 0.0, awaited={"a": ("tiny",)})
    history.decided(plan(2), 5.0, awaited={"a": ("large",)})
    history.fare(1, 0, 6.0)
    history.serve({"a": ("tiny",)}, 7.0)
    first, second = history.records
    assert first.aftermath.over
    assert (first.aftermath.switched, first.aftermath.fared.met) == (0, 0)
    assert (second.aftermath.switched, second.aftermath.fared.met) == (0, 1)


def test_an_account_is_over_after_five_minutes():
    history = History()
    history.decided(plan(1), 0.0, awaited={})
    history.fare(2, 0, WATCHED)
    history.fare(9, 9, WATCHED + 1)
    (record,) = history.records
    assert record.aftermath.over
    assert (record.aftermath.fared.met, record.aftermath.fared.missed) == (2, 0)


def test_changes_outlive_plans_that_changed_nothing():
    history = History()
    for number in range(1, 61):
        history.decided(plan(number), float(number), awaited={})
    for number in range(61, 1061):
        history.decided(plan(number, changes=False), float(number), awaited={})
    kept = [record.plan.id for record in history.records]
    assert kept == [*range(1, 61), *range(961, 1061)]
    for number in range(1061, 1061 + 2 * MOST):
        history.decided(plan(number), float(number), awaited={})
    assert len(history.records) == MOST
    assert history.last_id == 1060 + 2 * MOST


def test_who_was_told_before_hears_only_of_what_is_new():
    history = History()
    history.decided(plan(1), 0.0, awaited={})
    history.decided(plan(2, changes=False), 1.0, awaited={})
    told = history.revision
    assert history.since(told) == []
    history.fare(1, 0, 2.0)
    assert [r.plan.id for r in history.since(told)] == [1, 2]
    told = history.revision
    history.fare(1, 0, 3.0)
    assert history.revision == told, "how requests fare is no news every second"
    history.fare(1, 0, 8.0)
    assert [r.plan.id for r in history.since(told)] == [1, 2]
    assert [r.plan.id for r in history.since(0)] == [1, 2]


def test_a_plan_that_goes_by_another_number_is_not_remembered_twice():
    history = History()
    history.decided(plan(1), 0.0, awaited={"a": ("tiny",)})
    history.renumber(8)
    history.serve({"a": ("tiny",)}, 3.0)
    assert [(r.plan.id, r.aftermath.switched) for r in history.records] == [(8, 1)]
    assert history.last_id == 8


def test_a_history_goes_on_where_an_earlier_process_left_it():
    before = History()
    before.decided(plan(1), 0.0, awaited={"a": ("tiny",)})
    after = History(before.records)
    assert after.records[0].aftermath.over
    after.serve({"a": ("tiny",)}, 1.0)
    assert after.records[0].aftermath.switched == 0
    assert [r.plan.id for r in after.since(0)] == [1]


def test_queues_of_all_routers_are_one_with_the_least_slack_of_any():
    queues = Queues()
    for router, queued, work, slack in (("a", 2, 1.5, 4.0), ("b", 3, 0.5, -1.0)):
        load = control_pb2.QueueLoad(
            variant="tiny", queued=queued, work=duration(work), least_slack=duration(slack)
        )
        queues.hear(control_pb2.LoadReport(router=router, queues=[load]), 0.0)
    (tiny,) = queues.together(1.0)
    assert (tiny.queued, seconds(tiny.work), seconds(tiny.least_slack)) == (5, 2.0, -1.0)
    assert queues.together(1.0) == [tiny], "asking changes nothing"
    assert queues.together(61.0) == [], "a router that is gone has no queue"


@pytest.mark.parametrize("advised", [True, False])
def test_what_is_only_advised_is_remembered_all_the_same(advised):
    history = History()
    history.decided(plan(1, followed=not advised), 0.0, awaited={})
    assert history.records[0].followed is not advised
