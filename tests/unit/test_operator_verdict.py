"""Which conditions hold for what was seen, and why."""

import pytest

from argus_control.mode import Mode
from argus_control.outcomes import Outcome
from argus_core.planning.plan import Alternative
from argus_core.states import WorkerPhase as P
from argus_operator.conditions import ConditionType, written
from argus_operator.ledger import Account
from argus_operator.pods import Trouble, pod_of
from argus_operator.report import Sight, Worker, body, standing_plan
from argus_operator.verdict import STALE, STUCK, conditions
from argus_protos.v1 import cluster_pb2
from operator_support import cluster_of, pod, raw


def plan(plan_id=7, solver="milp"):
    made = cluster_pb2.Plan(id=plan_id, reason="because", solver=solver, forecast_rate=1 / 3)
    made.made_at.FromSeconds(1)
    made.allocations.add(pool="cpu", loadout=["large"], workers=4, price=0.123456)
    return made


def worker(n, phase=P.READY, holds=("large",), wanted=("large",)):
    return Worker(
        name=f"demo-cpu-{n}", pool="cpu", phase=phase, holds=holds, assigned=wanted, wanted=wanted
    )


def sight(**changes):
    """All is well, unless told otherwise."""
    well = {
        "name": "demo",
        "namespace": "here",
        "spec": cluster_of().spec,
        "ports": (8000, 8080),
        "accounts": [Account(pool="cpu", wanted=4, ready=4)],
        "workers": [worker(n) for n in range(4)],
        "pods": [pod("demo-router-x", role="router")],
        "plan": plan(),
        "planned": True,
        "report_age": 1.0,
        "outcome": Outcome(met=100, missed=0),
    }
    return Sight(**{**well, **changes})


def found(**changes):
    return {
        c.type.value: ({True: "True", False: "False", None: "Unknown"}[c.holds], c.reason.value)
        for c in conditions(sight(**changes))
    }


def accounts(**counts):
    return [Account(pool="cpu", wanted=4, **counts)]


def test_all_is_well():
    assert found() == {
        "Ready": ("True", "Serving"),
        "PlanCurrent": ("True", "Followed"),
        "WithinBudget": ("True", "Within"),
        "SLOMet": ("True", "Met"),
        "Progressing": ("False", "Settled"),
    }


ROUTER = "demo-router-x"


def test_workers_that_are_ready_and_not_heard_are_told_with_the_reason():
    pods = [pod(ROUTER, role="router"), pod("demo-cpu-0"), pod("demo-cpu-1"), pod("demo-cpu-2")]
    pods[3] = pod("demo-cpu-2", ready=False)
    silent = {f"demo-cpu-{n}": "its certificate has expired" for n in range(3)}
    told = {
        c.type.value: c.message
        for c in conditions(sight(pods=pods, silent=silent, accounts=accounts(starting=4)))
    }
    why = "demo-cpu-0 (and 1 more) is not heard: its certificate has expired"
    assert told["Ready"] == f"none of 4 workers serves; {why}"
    assert told["Progressing"] == f"4 workers yet to serve; {why}"


@pytest.mark.parametrize(
    ("changes", "condition", "status", "reason"),
    [
        ({"pods": []}, "Ready", "False", "NoRouter"),
        ({"pods": [pod("r", role="router", ready=False)]}, "Ready", "False", "NoRouter"),
        ({"accounts": accounts(starting=4)}, "Ready", "False", "NoReadyWorkers"),
        ({"accounts": accounts(ready=1, switching=3)}, "Ready", "True", "Serving"),
        ({"refusals": {"Service demo": "no"}}, "Ready", "False", "ApplyRefused"),
        ({"paused": True}, "PlanCurrent", "False", "Paused"),
        ({"mode": Mode.OFF}, "PlanCurrent", "False", "PlanningOff"),
        ({"mode": Mode.ADVISORY, "advice": "x"}, "PlanCurrent", "False", "Advisory"),
        ({"report_age": None}, "PlanCurrent", "Unknown", "NoLoadYet"),
        ({"planned": False}, "PlanCurrent", "Unknown", "NoLoadYet"),
        ({"report_age": STALE + 1}, "PlanCurrent", "False", "StaleLoad"),
        ({"behind": ["r"]}, "PlanCurrent", "False", "RouterBehind"),
        (
            {"behind": [ROUTER], "troubles": {ROUTER: "no"}, "report_age": None},
            "PlanCurrent",
            "False",
            "RouterBehind",
        ),
        (
            {"behind": ["new"], "troubles": {"new": "no"}, "report_age": None},
            "PlanCurrent",
            "Unknown",
            "NoLoadYet",
        ),
        ({"accounts": accounts(ready=4, terminating=1)}, "WithinBudget", "False", "Shrinking"),
        ({"accounts": accounts(ready=5)}, "WithinBudget", "False", "Exceeded"),
        (
            {"accounts": accounts(ready=5), "shrinking": frozenset({"cpu"})},
            "WithinBudget",
            "False",
            "Shrinking",
        ),
        ({"accounts": accounts(ready=2, pending=1)}, "WithinBudget", "True", "Within"),
        ({"report_age": None}, "SLOMet", "Unknown", "NoReports"),
        ({"report_age": STALE + 1}, "SLOMet", "Unknown", "NoReports"),
        ({"outcome": Outcome(met=0, missed=0)}, "SLOMet", "Unknown", "NoTraffic"),
        ({"outcome": Outcome(met=98, missed=2)}, "SLOMet", "False", "Missed"),
        ({"outcome": Outcome(met=99, missed=1)}, "SLOMet", "True", "Met"),
        ({"paused": True}, "Progressing", "False", "Paused"),
        ({"accounts": accounts(ready=3, starting=1)}, "Progressing", "True", "Starting"),
        ({"accounts": accounts(ready=4, outdated=1)}, "Progressing", "True", "Rolling"),
        ({"accounts": accounts(ready=4, terminating=1)}, "Progressing", "True", "Scaling"),
        (
            {"workers": [worker(0, wanted=("tiny",)), *(worker(n) for n in (1, 2, 3))]},
            "Progressing",
            "True",
            "Switching",
        ),
        (
            {"accounts": accounts(ready=3, starting=1), "unmoved": STUCK + 1},
            "Progressing",
            "False",
            "Stuck",
        ),
        ({"unmoved": STUCK + 1}, "Progressing", "False", "Settled"),
        (
            {"pods": [pod(phase="Pending", unschedulable="0/1 nodes")]},
            "Progressing",
            "False",
            "Unschedulable",
        ),
        (
            {"pods": [pod(phase="Pending", waiting="ImagePullBackOff")]},
            "Progressing",
            "False",
            "ImageUnavailable",
        ),
        ({"pods": [pod(waiting="CrashLoopBackOff")]}, "Progressing", "False", "Crashing"),
        ({"pods": [pod(phase="Failed")]}, "Progressing", "False", "Stuck"),
        ({"pods": [pod(phase="Failed", terminating=True)]}, "Progressing", "False", "Settled"),
        ({"unmade": {"StatefulSet demo-cpu": "no"}}, "Progressing", "False", "PodsRefused"),
    ],
)
def test_each_reason_is_told_for_its_cause(changes, condition, status, reason):
    assert found(**changes)[condition] == (status, reason)


def test_messages_name_the_pod_what_is_wrong_with_it_and_what_to_do():
    ill = [pod("b", phase="Pending", unschedulable="0/1 nodes"), pod("a", waiting="ErrImagePull")]
    (told,) = [c for c in conditions(sight(pods=ill)) if c.type is ConditionType.PROGRESSING]
    advice = "ask for fewer workers, or give nodes what they lack"
    assert told.message == f"pod b (and 1 more): 0/1 nodes; {advice}"


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"pods": [pod(phase="Pending", waiting="ErrImagePull")]}, "images.registry"),
        ({"pods": [pod(waiting="CrashLoopBackOff")]}, "kubectl logs --previous"),
        ({"pods": [pod(phase="Failed")]}, "kubectl describe"),
        ({"unmade": {"StatefulSet demo-cpu": "exceeded quota: q"}}, "raise the namespace's"),
        ({"unmade": {"StatefulSet demo-cpu": "the webhook says no"}}, "who set the namespace's"),
    ],
)
def test_who_waits_for_a_person_says_what_to_do(changes, advice):
    (told,) = [c for c in conditions(sight(**changes)) if c.type is ConditionType.PROGRESSING]
    assert advice in told.message


def test_a_refused_object_is_told_with_what_to_do_where_that_is_known():
    def ready(why):
        (told,) = [
            c
            for c in conditions(sight(refusals={"Service demo": why}))
            if c.type is ConditionType.READY
        ]
        return told.message

    assert ready("the webhook says no") == "Service demo was refused: the webhook says no"
    assert "raise the namespace's ResourceQuota" in ready("exceeded quota: q")


def test_a_transition_is_timed_only_when_the_status_changes():
    told = conditions(sight())
    first = written(told, (), generation=1, now="then")
    assert {c["lastTransitionTime"] for c in first} == {"then"}
    later = written(conditions(sight(behind=["r"])), first, generation=2, now="now")
    times = {c["type"]: c["lastTransitionTime"] for c in later}
    assert times.pop("PlanCurrent") == "now"
    assert set(times.values()) == {"then"}
    assert {c["observedGeneration"] for c in later} == {2}


def test_the_status_says_who_holds_and_who_is_on_the_way():
    workers = [
        worker(0),
        worker(1, phase=P.LOADING, holds=(), wanted=("tiny",)),
        worker(2, phase=None, holds=(), wanted=("tiny",)),
    ]
    told = body(sight(workers=workers, accounts=accounts(ready=1, switching=1, pending=1)))
    assert told["summary"] == {"workers": "1/4", "plan": "large 1, tiny 2"}
    assert {v["name"]: (v["wanted"], v["ready"], v["switching"]) for v in told["variants"]} == {
        "large": (1, 1, 0),
        "tiny": (2, 0, 1),
    }
    assert told["workers"] == 3


def test_the_plan_is_told_with_what_was_rejected():
    other = Alternative(name="hold", description="keep", cost=0.0123456)
    told = body(sight(alternatives=[other]))["plan"]
    assert told["alternatives"] == [{"name": "hold", "description": "keep", "cost": 0.01235}]
    assert told["allocations"][0]["price"] == 0.1235


def test_a_plan_survives_in_the_status():
    found = standing_plan(body(sight()))
    assert (found.id, found.solver, found.allocations[0].workers) == (7, "milp", 4)
    assert standing_plan({}) is None


def test_the_same_sight_gives_the_same_status():
    assert body(sight()) == body(sight())


def test_a_restarted_container_is_trouble_only_while_it_waits():
    assert pod_of(raw(restarts=9)).trouble is None
    assert pod_of(raw(restarts=9, waiting="ContainerCreating")).trouble is Trouble.CRASHING


def test_a_message_is_no_longer_than_the_definition_allows():
    """Else the API server would have none of the status, each time."""
    names = [f"demo-router-{n}" for n in range(100)]
    lost = sight(
        pods=[pod(name, role="router") for name in names],
        behind=names,
        troubles=dict.fromkeys(names, "x" * 300),
    )
    found = written(conditions(lost), (), generation=1, now="2026-01-01T00:00:00Z")
    (told,) = [c["message"] for c in found if c["type"] == "PlanCurrent"]
    assert told.startswith("not told the plan yet: demo-router-0")
    assert len(told) <= 4000
