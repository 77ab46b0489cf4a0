"""Admission at a router: images, holders and the queue's bound, put into GPU seconds."""

from math import inf

import pytest

from argus_core.choice import Ask, Candidate
from argus_core.errors import Exhausted
from argus_core.spec import Level
from argus_router.door import Asked, Door
from argus_router.request import Request

QUICK = Level(name="quick", variant="tiny", steps=4, quality=0.6, seconds={"cpu": 0.1})


def ask_in(
    door,
    *,
    wait=0.0,
    remaining=2.1,
    count=1,
    queued=0,
    now=0.0,
    prompt="a",
    slots=4,
    tiny=1,
    behind=inf,
):
    asked = Asked(
        request=Request(prompt=prompt, count=count, deadline=remaining),
        ask=Ask(remaining=remaining),
        best=Candidate(level=QUICK, quality=0.6, wait=wait, seconds=0.1, fresh=True),
        slots=slots,
        holding=tiny,
        behind=behind,
        queued=queued,
        now=now,
    )
    known = door.promised
    turned_away = door.turns_away(asked)
    assert door.promised == known
    try:
        door.require(asked)
    except Exhausted:
        # Who comes to the place that it was promised is not turned away at a glance.
        assert turned_away or known
        raise
    assert not turned_away


def refusal(door, **asked):
    with pytest.raises(Exhausted) as caught:
        ask_in(door, **asked)
    return caught.value


def test_who_can_be_in_time_comes_in():
    ask_in(Door(limit=100), wait=1.0)


def test_waits_are_trusted_to_four_fifths():
    ask_in(Door(limit=100), wait=1.59)
    assert refusal(Door(limit=100), wait=1.61).retry_after > 0


def test_refusal_says_how_long_the_wait_is_and_keeps_a_place():
    door = Door(limit=100)
    refused = refusal(door, wait=3.8)
    assert "quick would begin in 3.80 s, and may in 1.60 s" in str(refused)
    assert "a place is kept" in str(refused)
    assert door.promised == 1
    ask_in(door, wait=1.5, now=refused.retry_after)
    assert door.promised == 0


def test_newcomers_are_told_that_the_place_is_anothers():
    door = Door(limit=100)
    for number in range(20):
        due = refusal(door, wait=3.8, prompt=str(number)).retry_after
    assert "promised to others" in str(refusal(door, wait=1.5, prompt="new", now=due))
    ask_in(door, wait=1.5, prompt="19", now=due)


def test_a_client_is_known_again_though_its_deadline_is_another():
    door = Door(limit=100)
    due = refusal(door, wait=3.8).retry_after
    ask_in(door, wait=1.5, remaining=2.0, now=due)
    assert door.promised == 0


def test_last_of_several_images_must_be_in_time():
    ask_in(Door(limit=100), wait=0.8, count=8)
    refusal(Door(limit=100), wait=0.8, count=10)
    ask_in(Door(limit=100), wait=0.8, count=10, tiny=2)


def test_queue_that_is_full_refuses_with_a_retry_after():
    ask_in(Door(limit=10), wait=0.9, queued=9)
    assert refusal(Door(limit=10), wait=1.0, queued=10).retry_after > 0


def test_a_full_queue_keeps_its_promises():
    door = Door(limit=10)
    due = refusal(door, wait=1.0, queued=10, tiny=4).retry_after
    ask_in(door, wait=0.9, queued=9, tiny=4, now=due)
    assert door.promised == 0


def test_who_goes_before_others_leaves_them_time_enough():
    ask_in(Door(limit=100), behind=0.1)
    ask_in(Door(limit=100), behind=0.8, count=8)
    refused = refusal(Door(limit=100), behind=0.5, count=8)
    assert "would make others late who wait" in str(refused)
    assert refused.retry_after > 0


def test_more_images_than_may_ever_wait_are_left_to_the_queue():
    ask_in(Door(limit=100), count=200)
