"""What the page is told, from what routers tell; its memory of the past, and its sessions."""

import pytest

from argus_console import drawing, views
from argus_console.guard import loopback
from argus_console.series import EVERY, MOST, Series
from argus_console.sessions import LASTS, Sessions
from argus_console.sessions import MOST as MOST_SESSIONS
from argus_console.whatif import answer, question
from argus_core.errors import InvalidRequest
from argus_core.pricing import SHED_LOSS
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_rpc.convert import duration

READY, LOADING = cluster_pb2.WORKER_PHASE_READY, cluster_pb2.WORKER_PHASE_LOADING
FAILED = cluster_pb2.WORKER_PHASE_FAILED


def level(name, variant, quality, seconds, skipped=0):
    schedule = cluster_pb2.Schedule(steps=10, skipped_steps=skipped)
    return cluster_pb2.Level(
        name=name,
        variant=variant,
        schedule=schedule,
        prior_quality=quality,
        seconds_per_image=duration(seconds),
    )


def worker(name, phase, *loadout):
    return cluster_pb2.WorkerState(worker=name, pool="cpu", phase=phase, loadout=loadout, slots=1)


def described(*workers, budget=5):
    return images_pb2.DescribeClusterResponse(
        name="studio",
        levels=[level("best", "large", 1.0, 2.0), level("quick", "tiny", 0.8, 0.5)],
        workers=workers,
        default_deadline=duration(10),
        slo_target=0.95,
        pools=[cluster_pb2.Pool(name="cpu", gpu_type="cpu", workers=budget)],
    )


def report(router="r", *, window=2.0, **counts):
    return control_pb2.LoadReport(router=router, window=duration(window), **counts)


def test_gpus_are_counted_by_what_they_hold_and_sum_to_the_budget():
    told = described(
        worker("a", READY, "tiny"),
        worker("b", READY, "large", "tiny"),
        worker("c", LOADING),
        worker("d", FAILED, "large"),
    )
    assert views.held(told) == {"large+tiny": 1, "tiny": 1, "switching": 1, "away": 2}
    assert list(views.held(told)) == ["large+tiny", "tiny", "switching", "away"]


def test_a_loadout_that_the_ladder_does_not_know_is_told_last():
    told = described(worker("a", READY, "other"), worker("b", READY, "tiny"), budget=2)
    assert list(views.held(told)) == ["tiny", "other"]


def test_load_of_one_router_is_over_its_windows_and_of_several_over_the_longest():
    one = [report(arrivals=4, on_time=3, late=1), report(arrivals=2, on_time=1, refused=1)]
    told = views.load(one)
    assert (told["seconds"], told["rate"]) == (4.0, 1.5)
    assert told["met"] == pytest.approx(4 / 6)
    other = [report("s", arrivals=6), report("s", arrivals=0)]
    assert views.load([*one, *other])["rate"] == 3.0


def test_nothing_is_said_of_an_slo_where_no_request_has_ended():
    assert views.load([])["met"] is None
    assert views.load([report(arrivals=3)])["met"] is None


def test_queues_of_several_routers_add_up_and_the_least_slack_counts():
    def queue(queued, work, slack):
        return control_pb2.QueueLoad(
            variant="large", queued=queued, work=duration(work), least_slack=duration(slack)
        )

    told = views.queues([report(queues=[queue(2, 4, 5)]), report("s", queues=[queue(1, 2, -1)])])
    assert told == [{"variant": "large", "queued": 3, "work": 6.0, "slack": -1.0}]
    idle = views.queues([report(queues=[queue(0, 0, 0)])])
    assert idle[0]["slack"] is None, "nobody waits, so nobody is late"


def test_of_a_plan_that_two_routers_remember_the_finished_record_counts():
    def record(number, *, over):
        plan = cluster_pb2.Plan(id=number)
        return control_pb2.PlanRecord(plan=plan, aftermath=control_pb2.Aftermath(over=over))

    merged = views.merged([[record(2, over=False)], [record(1, over=True), record(2, over=True)]])
    assert [(one.plan.id, one.aftermath.over) for one in merged] == [(1, True), (2, True)]


def test_a_record_tells_reason_moves_alternatives_and_what_happened_next():
    record = control_pb2.PlanRecord(
        plan=cluster_pb2.Plan(
            id=7,
            reason="load has risen",
            allocations=[
                cluster_pb2.Allocation(pool="cpu", loadout=["tiny"], workers=2, price=0.1)
            ],
        ),
        followed=True,
        moves=[control_pb2.Move(pool="cpu", workers=1, to=["tiny"])],
        alternatives=[control_pb2.Alternative(name="hold", description="as it is", cost=0.02)],
        aftermath=control_pb2.Aftermath(switches=1, switched=1, took=duration(3)),
    )
    told = views.record(record)
    assert (told["id"], told["reason"], told["followed"]) == (7, "load has risen", True)
    assert told["moves"] == [{"pool": "cpu", "workers": 1, "from": [], "to": ["tiny"]}]
    assert told["alternatives"] == [{"name": "hold", "description": "as it is", "cost": 0.02}]
    assert told["aftermath"]["took"] == 3.0
    assert told["inputs"] is None, "it was not computed"


def test_the_past_is_sampled_at_a_pace_bounded_and_told_from_any_point():
    series, now = Series(), 0.0
    assert series.offer({"at": 0}, now)
    assert not series.offer({"at": 1}, now + EVERY / 2)
    for at in range(1, MOST + 10):
        assert series.offer({"at": at}, now + at * EVERY)
    assert len(series.since(0)) == MOST
    assert [one["at"] for one in series.since(series.last - 2)] == [MOST + 8, MOST + 9]
    assert series.since(series.last) == []


def test_sessions_end_by_time_by_signing_out_and_by_their_number():
    sessions = Sessions()
    name = sessions.begin("shop", "key", 0.0)
    assert sessions.find(name, 1.0).tenant == "shop"
    assert sessions.find(name, LASTS) is None
    assert sessions.find(name + "x", 1.0) is None
    sessions.end(name)
    assert sessions.find(name, 1.0) is None
    first = sessions.begin("shop", "key", 0.0)
    for _ in range(MOST_SESSIONS):
        sessions.begin("shop", "key", 1.0)
    assert sessions.find(first, 1.0) is None
    assert len(sessions) == MOST_SESSIONS


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:80", True),
        ("[::1]:80", True),
        ("localhost:80", True),
        ("0.0.0.0:80", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:80", False),
        ("", False),
    ],
)
def test_only_loopback_names_are_this_machine(host, ours):
    assert loopback(host) is ours


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"nonsense", "body"),
        (b"[]", "body"),
        (b"{}", "prompt"),
        (b'{"prompt": 3}', "prompt"),
        (b'{"prompt": "x", "seed": 1.5}', "seed"),
        (b'{"prompt": "x", "seed": true}', "seed"),
        (b'{"prompt": "x", "deadline": 0}', "deadline"),
        (b'{"prompt": "x", "deadline": 1e9}', "deadline"),
        (b'{"prompt": "x", "size": "huge"}', "size"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_its_field(body, field):
    with pytest.raises(InvalidRequest) as caught:
        drawing.order(body)
    assert [v.field for v in caught.value.violations] == [field]


def test_a_wish_asks_for_every_step_and_every_level():
    order = drawing.order(b'{"prompt": "x", "level": "best", "seed": null}')
    assert (order.prompt, order.level, order.seed) == ("x", "best", None)
    assert (order.preview_every_steps, order.explain) == (1, True)


LATELY = {"arrivals": 60, "rate": 2.0}
CAME = [0, 0, 20, 0, 0]
"""In steps of two seconds: all at once, and then nobody."""


def ask(**how):
    told = {"prompts": [], "lately": LATELY, "arrivals": CAME, "times": [], "gpus": 0, "load": 1.0}
    return question(described(budget=4), **{**told, **how})


def test_a_question_is_made_of_the_present():
    asked = ask(prompts=[[0.9, 0.8]], gpus=-1, load=2.0)
    assert (asked["gpus"], asked["more"], asked["rate"], asked["load"]) == (4, -1, 2.0, 2.0)
    assert asked["qualities"] == [[0.9, 0.8]]
    assert asked["shed_loss"] == SHED_LOSS, "the router does not tell"
    assert not asked["idle"]


def test_images_take_what_plans_take_them_to_on_the_slowest_gpu():
    times = [
        cluster_pb2.LevelSeconds(level="best", gpu_type=gpu, planned=duration(planned))
        for gpu, planned in (("a", 3.0), ("b", 5.0))
    ]
    times.append(cluster_pb2.LevelSeconds(level="quick", gpu_type="a", measured=duration(9.0)))
    asked = ask(times=times)
    assert asked["planned"]
    assert [level["seconds"] for level in asked["levels"]] == [5.0, 0.5]


def test_the_last_minutes_come_again_as_they_came_and_not_on_average():
    def asked_about(arrivals):
        asked = ask(arrivals=arrivals, load=2.0)
        told = answer(asked, clock=lambda: 0.0)
        assert told["recorded"] == 2.0 * len(arrivals)
        assert told["then"]["requests"] == 2 * told["now"]["requests"] == 2400
        return told["now"]

    bursty, even = asked_about(CAME), asked_about([4] * 5)
    assert bursty["latency_p99"] > 1.3 * even["latency_p99"]


def test_arrivals_of_several_routers_count_in_the_step_that_they_came_in():
    def report(router, at, arrivals):
        told = control_pb2.LoadReport(router=router, window=duration(2.0), arrivals=arrivals)
        told.window_end.FromMilliseconds(int(1000 * at))
        return told

    reports = [report("a", 10, 3), report("b", 10.5, 4), report("a", 12, 5), report("b", 18.1, 6)]
    assert views.arrivals(reports, 2.0) == [7, 5, 0, 0, 6]
    assert views.arrivals([], 2.0) == []


def test_without_a_load_half_of_what_the_best_level_carries_is_asked_about():
    idle = {"arrivals": 1, "rate": 0.01}
    asked = ask(lately=idle, arrivals=[1])
    assert not asked["arrivals"]
    assert (asked["idle"], asked["rate"]) == (True, 1.0)
    assert asked["qualities"] == [[1.0, 0.8]], "the ladder's mean prompt"


@pytest.mark.parametrize(
    ("gpus", "load", "field"), [(-4, 1.0, "gpus"), (1000, 1.0, "gpus"), (0, 0.0, "load")]
)
def test_a_question_beyond_reason_is_refused(gpus, load, field):
    with pytest.raises(InvalidRequest) as caught:
        ask(gpus=gpus, load=load)
    assert [v.field for v in caught.value.violations] == [field]
