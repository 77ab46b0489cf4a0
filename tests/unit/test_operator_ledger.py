"""The budget: every pod is charged, and who is replaced when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.states import WorkerPhase as P
from argus_operator.ledger import account, next_to_replace, standing
from operator_support import pod


def counted(pods, phases, wanted=4):
    return account("cpu", wanted, pods, phases, owner="demo-cpu", revision="new")


@pytest.mark.parametrize(
    ("status", "phase", "under"),
    [
        ({}, P.READY, "ready"),
        ({"ready": False}, P.READY, "ready"),
        ({}, P.LOADING, "switching"),
        ({}, P.DRAINING, "switching"),
        ({}, P.STARTING, "starting"),
        ({}, None, "starting"),
        ({"phase": "Pending"}, None, "pending"),
        ({"phase": "Pending", "unschedulable": "no room"}, None, "pending"),
        ({"phase": "Pending", "waiting": "ErrImagePull"}, None, "pending"),
        ({"phase": "Failed"}, None, "failed"),
        ({"waiting": "CrashLoopBackOff"}, None, "failed"),
        ({}, P.FAILED, "failed"),
        ({"terminating": True}, P.READY, "terminating"),
        ({"terminating": True, "phase": "Pending"}, None, "terminating"),
        ({}, P.STOPPING, "terminating"),
    ],
)
def test_a_pod_counts_once_and_the_workers_own_word_counts(status, phase, under):
    assert standing(pod(**status), phase) == under


STATUS = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Pending", "Running", "Failed", "Succeeded", "Unknown"]),
        "terminating": st.booleans(),
        "waiting": st.sampled_from(["", "ErrImagePull", "CrashLoopBackOff"]),
        "revision": st.sampled_from(["old", "new"]),
        "owner": st.sampled_from(["demo-cpu", "", "other"]),
    },
)
PHASE = st.one_of(st.none(), st.sampled_from(list(P)))


@given(st.lists(st.tuples(STATUS, PHASE), max_size=12), st.integers(1, 6))
def test_every_pod_is_charged_whatever_it_does(told, wanted):
    pods = [pod(f"demo-cpu-{n}", **status) for n, (status, _) in enumerate(told)]
    phases = {p.name: phase for p, (_, phase) in zip(pods, told, strict=True)}
    found = counted(pods, phases, wanted)
    assert found.charged == len(pods)
    assert found.exceeded == max(0, len(pods) - wanted)


@given(st.lists(st.tuples(STATUS, PHASE), max_size=12), st.integers(1, 4))
def test_replacing_never_takes_more_away_than_may_be(told, most):
    pods = [pod(f"demo-cpu-{n}", **status) for n, (status, _) in enumerate(told)]
    phases = {p.name: phase for p, (_, phase) in zip(pods, told, strict=True)}
    wanted = max(1, len(pods))
    gone = next_to_replace(pods, phases, revision="new", wanted=wanted, most_unavailable=most)
    serving = [p for p in pods if standing(p, phases[p.name]) == "ready"]
    left = len(serving) - sum(p in serving for p in gone)
    assert left >= min(len(serving), wanted - most)
    assert all(p.revision == "old" and not p.terminating for p in gone)


@pytest.mark.parametrize("secured", [True, False])
def test_who_cannot_be_spoken_with_any_more_is_replaced_at_once(secured):
    """Also one that Kubernetes finds ready: routers are of the newest template already."""
    pods = [pod(f"demo-cpu-{n}", revision="old", secured=not secured) for n in range(4)]
    pods[0] = pod("demo-cpu-0", revision="new", secured=secured)
    phases = dict.fromkeys((p.name for p in pods), None) | {"demo-cpu-1": P.READY}
    gone = next_to_replace(
        pods, phases, revision="new", wanted=4, most_unavailable=1, spoken=secured
    )
    assert [p.name for p in gone] == ["demo-cpu-3", "demo-cpu-2", "demo-cpu-1"]
    # While there are routers that still speak with them, they stay.
    for spoken in (not secured, None):
        assert not next_to_replace(
            pods, phases, revision="new", wanted=4, most_unavailable=1, spoken=spoken
        )


def test_replacing_begins_with_who_serves_nothing_and_goes_on_from_the_last():
    pods = [pod(f"demo-cpu-{n}", revision="old") for n in (0, 1, 2, 10)]
    phases = dict.fromkeys((p.name for p in pods), P.READY) | {"demo-cpu-1": P.FAILED}
    gone = next_to_replace(pods, phases, revision="new", wanted=4, most_unavailable=2)
    assert [p.name for p in gone] == ["demo-cpu-1", "demo-cpu-10"]


@pytest.mark.parametrize(
    ("status", "phase", "goes"),
    [
        ({"ready": False}, None, True),
        ({"ready": False}, P.STARTING, True),
        ({"ready": False}, P.LOADING, True),
        ({}, None, False),
    ],
    ids=["never listens", "starts", "loads", "is not heard, but ready"],
)
def test_who_may_never_serve_by_an_old_template_does_not_hold_up_the_newest(status, phase, goes):
    """With as many away as may be: a document that mends what keeps a worker away must reach it."""
    pods = [pod("demo-cpu-0", revision="old", **status), pod("demo-cpu-1", revision="old")]
    phases = {"demo-cpu-0": phase, "demo-cpu-1": P.READY}
    gone = next_to_replace(pods, phases, revision="new", wanted=2, most_unavailable=1)
    assert [p.name for p in gone] == ["demo-cpu-0"] * goes


def test_without_a_known_revision_nobody_is_outdated():
    pods = [pod(revision="old")]
    found = account("cpu", 1, pods, {}, owner="demo-cpu", revision="")
    assert found.outdated == 0
    assert not next_to_replace(pods, {}, revision="", wanted=1, most_unavailable=1)


def test_pods_of_nobody_are_charged_and_told():
    found = counted([pod(owner=""), pod("demo-cpu-1")], {})
    assert (found.charged, found.strangers) == (2, 1)
