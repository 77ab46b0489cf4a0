"""Status, Events, ConfigMap and history of an ArgusCluster say the same of a plan."""

import pytest

from argus_control.archive import unpack
from argus_control.plans import make_plan, plan_message
from argus_control.records import record_of
from argus_core.planning.plan import Allocation, Alternative, Move, Plan, Solver
from argus_operator import report
from argus_operator.chronicle import EVERY, MOST_BYTES, Chronicle
from argus_operator.objects import build
from argus_operator.objects.history import KEY
from argus_operator.report import Sight
from argus_operator.settings import Images, Settings
from argus_protos.v1 import control_pb2
from operator_support import OWNER, cluster_of

SETTINGS = Settings(images=Images(worker="w:1", router="r:1", predictor="p:1"))
PLAN = Plan(
    allocations=(
        Allocation(pool="cpu", loadout=("tiny",), workers=4, price=0.123456, utilisation=0.5),
    ),
    mix=(),
    moves=(Move(pool="cpu", workers=2, before=("large",), after=("tiny",)),),
    solver=Solver.MILP,
    reason="moves 2 workers of cpu from large to tiny because more comes",
    rate=3.0,
    value=0.8,
    expected_quality=0.8,
    expected_shed=0.0,
    switch_seconds=4.0,
    switch_charge=0.01,
    gap=0.0,
    seconds=0.1,
    alternatives=(Alternative(name="hold", description="keep what they hold", cost=0.25),),
)


def remembered(*, followed):
    message = plan_message(7, PLAN)
    return record_of(message, PLAN, control_pb2.PlanInputs(expected_rate=2.5), followed=followed)


def seen(plan, *records, **fields):
    return Sight(
        name="demo",
        namespace="here",
        spec=cluster_of().spec,
        ports=(8000, 8080),
        accounts=(),
        workers=(),
        pods=(),
        plan=plan,
        planned=True,
        alternatives=PLAN.alternatives,
        records=records,
        **fields,
    )


def test_status_and_event_of_a_plan_say_what_the_history_does():
    record = remembered(followed=True)
    sight = seen(record.plan, record)
    status = report.body(sight)["plan"]
    assert (status["id"], status["reason"]) == (record.plan.id, record.plan.reason)
    assert status["forecastRate"] == record.plan.forecast_rate
    assert [(a["name"], a["description"], a["cost"]) for a in status["alternatives"]] == [
        (a.name, a.description, a.cost) for a in record.alternatives
    ]
    assert status["allocations"] == [
        {"pool": "cpu", "loadout": ["tiny"], "workers": 4, "price": pytest.approx(0.1235)}
    ]
    assert report.planned(sight, after=6) == [record.plan.reason]


def test_what_is_only_advised_is_told_alike():
    record = remembered(followed=False)
    told = make_plan(7, [("cpu", ("large",))], reason=f"advised, and not done: {PLAN.reason}")
    sight = seen(told, record, advice=PLAN.reason)
    status = report.body(sight)["plan"]
    assert (status["id"], status["advice"]) == (record.plan.id, record.plan.reason)
    assert report.planned(sight, after=6) == [record.plan.reason]


def test_a_plan_that_moved_workers_is_told_of_though_another_followed_before_anybody_looked():
    moved, held = remembered(followed=True), remembered(followed=True)
    held.plan.id = 8
    del held.moves[:]
    sight = seen(held.plan, moved, held)
    assert report.planned(sight, after=6) == [moved.plan.reason]
    assert report.planned(sight, after=7) == []


def config_map(text):
    found = build(cluster_of(), SETTINGS, OWNER, plans=text)
    (plans,) = [o for o in found if o["metadata"]["name"] == "demo-plans"]
    assert plans["metadata"]["ownerReferences"] == [OWNER]
    return plans


def test_the_next_operator_takes_up_what_the_last_one_wrote():
    first = Chronicle("demo", [])
    first.history.decided(remembered(followed=True), 0.0, awaited={})
    kept = config_map(first.text(0.0))
    document = {"metadata": {"name": "demo"}, "data": {"cluster.yaml": ""}}
    second = Chronicle("demo", [document, kept])
    assert [r.plan for r in second.history.records] == [r.plan for r in first.history.records]
    assert second.text(1.0) == kept["data"][KEY], "what is not new is not written again"


def test_a_config_map_is_written_once_a_minute_at_most():
    chronicle = Chronicle("demo", [])
    texts = set()
    for second in range(600):
        chronicle.history.decided(remembered(followed=True), float(second), awaited={})
        texts.add(chronicle.text(float(second)))
    assert 2 <= len(texts) <= 600 / EVERY


def test_a_config_map_stays_within_its_size():
    chronicle = Chronicle("demo", [])
    for number in range(1, 200):
        record = remembered(followed=True)
        record.plan.id, record.plan.reason = number, "x" * 2000
        chronicle.history.decided(record, 0.0, awaited={})
    text = chronicle.text(0.0)
    assert len(text.encode()) <= MOST_BYTES
    assert unpack(text)[-1].plan.id == 199
