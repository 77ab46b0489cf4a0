"""Why pods could not be made, as those tell who make them."""

import pytest

from argus_operator.refused import of_deployment, of_events, remedy

FORBIDDEN = 'pods "demo-cpu-1" is forbidden: exceeded quota: small'
TRIED = f"create Pod demo-cpu-1 in StatefulSet demo-cpu failed error: {FORBIDDEN}"


def event(second, reason="FailedCreate", message=TRIED):
    when = f"2026-01-01T00:00:{second:02d}Z"
    return {"reason": reason, "message": message, "lastTimestamp": when}


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], ""),
        ([event(1, "Killing")], ""),
        ([event(1)], FORBIDDEN),
        ([event(1), event(2, "SuccessfulCreate")], ""),
        ([event(3), event(2, "SuccessfulCreate")], FORBIDDEN),
        # Within a second, one pod may have been made and the next one not.
        ([event(2), event(2, "SuccessfulCreate")], FORBIDDEN),
        ([event(1, message="no")], "no"),
    ],
)
def test_the_last_try_counts(events, why):
    assert of_events(events) == why
    assert of_events(events[::-1]) == why


def test_an_event_of_a_series_or_of_the_new_kind_has_its_time_elsewhere():
    made = event(5, "SuccessfulCreate")
    later = {"reason": "FailedCreate", "message": "a", "eventTime": "2026-01-01T00:00:06.123Z"}
    series = {"lastObservedTime": "2026-01-01T00:00:07.5Z"}
    assert of_events([made, later]) == "a"
    assert of_events([made, {**later, "eventTime": None, "series": series}]) == "a"


def test_a_deployment_says_so_in_a_condition():
    def deployment(status):
        failure = {"type": "ReplicaFailure", "status": status, "message": FORBIDDEN}
        return {"status": {"conditions": [{"type": "Available", "status": "False"}, failure]}}

    assert of_deployment(deployment("True")) == FORBIDDEN
    assert not of_deployment(deployment("False"))
    assert not of_deployment({})


@pytest.mark.parametrize(
    ("why", "what"),
    [
        ("exceeded quota: small, requested: pods=1", "raise the namespace's ResourceQuota"),
        ("failed quota: small: must specify limits.cpu for: worker", "state for every container"),
        ('violates PodSecurity "restricted:latest": host namespaces', "change the label"),
        ("maximum cpu usage per Container is 10m, but request is 1", "LimitRange"),
        ('Invalid value: "1": must be less than or equal to cpu limit of 10m', "LimitRange"),
        ("cpu max limit to request ratio per Pod is 2, but provided ratio is 3", "LimitRange"),
    ],
)
def test_each_kind_of_refusal_has_its_remedy(why, what):
    assert what in remedy(why)


def test_other_words_have_none():
    assert not remedy("the webhook says no")
