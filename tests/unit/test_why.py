"""What `argus why` and `argus top` say, without a terminal and without a cluster."""

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from argus_cli.top.frame import frame
from argus_cli.top.rates import Rates
from argus_cli.why import plans, request
from argus_cli.why.moment import moment_of
from argus_core.errors import InvalidRequest
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_rpc.convert import duration

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ZONE = timezone(timedelta(hours=2))


WAITED = "12 images waited (sdxl 9, turbo 3), the tightest with 1.2 s to spare"


def stamp(at):
    message = Timestamp()
    message.FromDatetime(at)
    return message


def record(number=31, *, at=NOON, followed=True, inputs=True, over=True, took=14.0):
    told = control_pb2.PlanRecord(
        plan=cluster_pb2.Plan(
            id=number,
            made_at=stamp(at),
            reason="moves 2 workers of gpu from sdxl to turbo because more comes",
            forecast_rate=3.25,
            expected_quality=0.91,
        ),
        followed=followed,
        changes=True,
    )
    if inputs:
        told.inputs.expected_rate, told.inputs.burstiness = 2.5, 1.5
        told.inputs.fared.met, told.inputs.fared.missed = 98, 2
        for variant, queued, slack in (("sdxl", 9, 1.25), ("turbo", 3, 4.0)):
            told.inputs.queues.add(variant=variant, queued=queued, least_slack=duration(slack))
        told.inputs.standing.add(pool="gpu", loadout=["sdxl"], workers=6, price=0.1)
    told.alternatives.add(name="hold", description="keep what the workers hold", cost=0.031)
    told.alternatives.add(name="one worker more moved", description="one more", cost=-0.0002)
    told.aftermath.switches, told.aftermath.switched = 2, 2 if took else 1
    if took:
        told.aftermath.took.CopyFrom(duration(took))
    told.aftermath.fared.met, told.aftermath.fared.missed = 49, 1
    told.aftermath.over = over
    return told


def test_a_change_is_told_with_time_inputs_rejections_and_what_came_of_it():
    told = record()
    assert plans.headline(told, ZONE) == (
        "2026-11-25 14:00:00, plan 31: moves 2 workers of gpu from sdxl to turbo because more comes"
    )
    assert plans.details(told) == [
        f"Made for 3.25 images a second (2.5 likeliest, burstiness 1.5); {WAITED}.",
        "By the plan before, a second of sdxl in gpu was worth 0.1.",
        "In the five minutes before, 98.0% of 100 requests were in time.",
        "Expected: mean quality 0.910, 0.0% of requests refused.",
        "Rejected: keep what the workers hold; it would have lost 0.0310 of mean quality.",
        "Rejected: one more; it would have gained 0.0002, less than a change must.",
        "2 of 2 workers have switched, within 14.0 s.",
        "Afterwards, 98.0% of 50 requests were in time.",
    ]


def test_what_is_only_advised_and_what_is_unfinished_is_told_as_such():
    assert "plan 31, advised and not done: moves" in plans.headline(record(followed=False), UTC)
    switching = plans.details(record(took=0.0, over=False))
    assert switching[-2:] == [
        "1 of 2 workers have switched.",
        "Since, 98.0% of 50 requests were in time.",
    ]
    cut_short = plans.details(record(took=0.0))
    assert "1 of 2 workers have switched; the next change came first." in cut_short
    by_hand = plans.details(record(inputs=False))
    assert by_hand[0].startswith("Rejected")


def test_the_plan_in_force_at_a_time_is_the_last_made_before_it():
    made = [record(n, at=NOON + timedelta(minutes=n)) for n in (1, 2, 3)]
    for minute, number in ((1, 1), (2.5, 2), (60, 3)):
        assert plans.at(made, NOON + timedelta(minutes=minute)).plan.id == number
    assert plans.at(made, NOON) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("11:30", "2026-11-25 11:30:59"),
        ("11:30:07", "2026-11-25 11:30:07"),
        ("14:05", "2026-11-24 14:05:59"),
        ("12:00", "2026-11-25 12:00:00"),
        ("2026-11-20 09:00", "2026-11-20 09:00:59"),
        ("2026-11-20T09:00:01", "2026-11-20 09:00:01"),
    ],
)
def test_a_time_of_day_is_its_last_occurrence(said, meant):
    assert f"{moment_of(said, NOON):%Y-%m-%d %H:%M:%S}" == meant


@pytest.mark.parametrize("said", ["25:00", "soon", "2026-11-25 18:00", ""])
def test_what_is_no_time_of_the_past_is_refused_by_option(said):
    with pytest.raises(InvalidRequest) as caught:
        moment_of(said, NOON)
    assert caught.value.violations[0].field == "--at"


def decision(level, reason, **fields):
    made = images_pb2.Decision(
        level=level,
        reason=reason,
        predicted_quality=0.9,
        price=0.25,
        expected_completion=duration(2.0),
        **fields,
    )
    made.options.add(level=level, predicted_quality=0.9, expected_completion=duration(2.0))
    made.options.add(level="other", predicted_quality=0.5, rejected="no worker holds it")
    return made


def asked(**fields):
    return control_pb2.RequestRecord(
        request_id="abc",
        arrived_at=stamp(NOON),
        deadline=duration(30.0),
        plan_id=31,
        queued={"sdxl": 2, "": 1, "turbo": 0},
        **fields,
    )


def test_a_request_is_told_with_what_it_found():
    images = [control_pb2.ImageRecord(index=0)]
    assert request.arrival(asked(images=images, model_version="v3"), UTC) == [
        "Request abc came at 2026-11-25 12:00:00: 1 image at any level, within 30 s.",
        "Its quality was predicted by v3.",
        "Plan 31 was in force; 3 images waited (undecided 1, sdxl 2).",
    ]
    (_, predicted, _) = request.arrival(asked(fallback="timeout"), UTC)
    assert predicted.endswith("as the predictor was too slow.")


def test_an_image_is_told_with_both_decisions_and_what_ran():
    image = control_pb2.ImageRecord(
        first=decision("good", "good is the best level in time"),
        last=decision("quick", "quick is worth more"),
        outcome="ok",
        worker="gpu-3",
        attempts=2,
        timing=images_pb2.Timing(
            total=duration(3.5), predict=duration(0.1), queue=duration(1.2), denoise=duration(2.0)
        ),
    )
    first, last, ran = request.image(image)
    assert first.startswith(
        "On arrival: good, with a predicted quality of 0.900 at a price of 0.25"
    )
    assert last.endswith("done within 2.00 s of its arrival; quick is worth more.")
    assert ran == (
        "gpu-3 drew it at quick, the attempt number 2: 0.100 s of predicting, "
        "1.200 s of waiting, 2.000 s of drawing; 3.500 s in all."
    )
    assert [option.level for option in request.weighed(image)] == ["quick", "other"]


@pytest.mark.parametrize(
    ("outcome", "error", "words"),
    [
        ("", "", "It is under way."),
        ("late", "its deadline passed", "It was not drawn (late): its deadline passed."),
        ("cancelled", "", "It was not drawn (cancelled)."),
    ],
)
def test_what_was_not_drawn_says_why(outcome, error, words):
    image = control_pb2.ImageRecord(outcome=outcome, error=error)
    assert request.image(image)[-1] == words
    assert "no worker held" in request.image(image)[0]


def report(window=10.0, **fields):
    return control_pb2.LoadReport(window=duration(window), **fields)


def test_rates_are_of_the_last_minute():
    rates = Rates()
    assert (rates.arrivals, rates.in_time, rates.newest) == (0.0, None, None)
    rates.hear(report(arrivals=900, on_time=900))
    for _ in range(6):
        rates.hear(report(arrivals=20, on_time=9, late=1, refused=5))
    assert rates.seconds == 60.0
    assert rates.arrivals == 2.0
    assert rates.drawn == pytest.approx(0.9)
    assert rates.refused == 0.5
    assert rates.in_time == pytest.approx(0.6)


def test_a_frame_shows_gpus_queues_prices_the_slo_and_reasons():
    cluster = images_pb2.DescribeClusterResponse(
        name="studio",
        levels=[cluster_pb2.Level(name=f"{v}-8", variant=v) for v in ("sdxl", "turbo")],
        plan=record().plan,
        default_deadline=duration(8.0),
        slo_target=0.99,
        queued={"sdxl": 7},
    )
    cluster.plan.allocations.add(pool="gpu", loadout=["sdxl"], workers=3, price=0.125)
    ready, loading = cluster_pb2.WORKER_PHASE_READY, cluster_pb2.WORKER_PHASE_LOADING
    for n, phase in enumerate((ready, ready, loading)):
        holds = ["sdxl"] if phase == ready else []
        cluster.workers.add(worker=f"gpu-{n}", phase=phase, loadout=holds, assigned=["turbo"])
    rates = Rates()
    load = control_pb2.QueueLoad(variant="sdxl", queued=7, least_slack=duration(-1.5))
    rates.hear(report(arrivals=20, on_time=9, late=1, queues=[load]))
    console = Console(width=110, record=True, file=io.StringIO(), color_system=None)
    console.print(frame(cluster, rates, [record()], NOON))
    told = console.export_text()
    assert "studio, 12:00:00" in told
    assert "2.00 asked, 0.90 drawn, 0.00 refused; 90.0% in time (deadline 8 s, target 99 %)" in told
    (sdxl,) = [line.split("│")[1:-1] for line in told.splitlines() if "│ sdxl" in line]
    assert [cell.strip() for cell in sdxl[2:]] == ["2/3", "3", "7", "-1.5 s", "0.125"]
    assert sdxl[1].count("█") == 13
    assert "gpu-2 loading turbo" in told
    assert "Plan in force: 31, moves 2 workers" in told
    assert "Last change: 2026-11-25 12:00:00, plan 31: moves 2 workers" in told
