"""Load on a real router: requests go out at their moments, and each is told of once."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from argus_cli.load import checking, figures, report, sendings
from argus_cli.load.record import Record
from argus_cli.load.sending import Line, Load, Sending
from argus_client import Order, Tls
from argus_core.errors import InvalidRequest
from argus_rpc.tls import TlsFiles
from helpers import eventually
from router_support import LONG, ScriptedWorker, cluster_of, staged
from security_support import Authority, guarded, write


def sending(at, *, deadline=20.0, **fields):
    return Sending(at=at, prompt=0, order=Order(prompt="x", deadline=deadline), **fields)


async def loaded(stage, planned, *, most=1000, clients=2):
    """The records of a load."""
    load = Load(Line(endpoint=stage.grpc, clients=clients), planned, most=most)
    await load.run()
    return sorted(load.records, key=lambda r: r.number)


def worker(**fields):
    made = ScriptedWorker("w0", "large", "tiny", slots=8)
    made.automatic = True
    return made


async def test_each_request_is_told_of_once_with_what_became_of_it():
    async with staged(worker()) as stage:
        records = await loaded(stage, [sending(0.01 * n) for n in range(40)])
    assert not checking.problems(records, expected=40, grace=2.0)
    assert {r.code for r in records} == {"OK"}
    assert {r.level for r in records} <= {"best", "good", "quick"}
    assert all(r.request_id and r.worker == "w0" and r.attempts == 1 for r in records)
    assert all(r.intended <= r.sent <= r.first <= r.last for r in records)


async def test_requests_do_not_wait_for_one_another():
    slow = ScriptedWorker("w0", "large", "tiny")
    cluster = cluster_of(seconds=LONG, slo={"deadlineSeconds": 600})
    async with staged(slow, cluster=cluster) as stage:
        load = Load(Line(endpoint=stage.grpc), [sending(0.0, deadline=600)] * 5, most=1000)
        running = asyncio.create_task(load.run())
        # None is answered, and all are sent.
        await eventually(lambda: load.under_way == 5)
        await eventually(lambda: stage.waiting + stage.running == 5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [r.code for r in load.records] == ["UNANSWERED"] * 5


async def test_what_would_be_too_many_at_once_is_dropped_and_counted():
    slow = ScriptedWorker("w0", "large", "tiny")
    async with staged(slow) as stage:
        load = Load(Line(endpoint=stage.grpc), [sending(0.0)] * 5, most=2)
        running = asyncio.create_task(load.run())
        await eventually(lambda: len(load.records) == 3)
        assert {r.code for r in load.records} == {"DROPPED"}
        await eventually(lambda: slow.calls)
        slow.automatic = True
        for call in slow.calls:
            call.finish()
        await running
    assert figures.figures(load.records, duration=1.0).dropped == 3


async def test_errors_are_answers_with_their_codes():
    async with staged(worker()) as stage:
        hasty = Sending(at=0.0, prompt=0, order=Order(prompt="x", deadline=1e-6))
        wrong = Sending(at=0.0, prompt=0, order=Order(prompt="x", deadline=20.0, level="none"))
        records = await loaded(stage, [hasty, wrong])
    assert [r.code for r in records] == ["DEADLINE_EXCEEDED", "INVALID_ARGUMENT"]
    assert all(r.answers == 1 and r.message for r in records)


def test_a_report_holds_every_figure_and_a_picture(tmp_path):
    records = []
    whole = figures.figures(records, duration=1.0)
    found = report.document({"endpoint": "x"}, whole, {})
    report.write(tmp_path / "report.json", found)
    report.draw(records, tmp_path / "report.png")
    assert json.loads((tmp_path / "report.json").read_text())["kind"] == "ArgusLoad"
    assert (tmp_path / "report.png").stat().st_size > 1000


def planned(**changed):
    given = {
        "trace": None, "rate": 50.0, "duration": 10.0, "speed": 1.0, "prompts": None, "tenants": {},
        "like": Order(prompt="", deadline=5.0), "seed": 1,
    }  # fmt: skip
    return sendings.planned(**{**given, **changed})


def test_moments_are_random_at_a_rate_and_the_same_for_a_seed():
    found = planned()
    assert len(found) == pytest.approx(500, abs=100)
    assert [s.at for s in found] == sorted(s.at for s in found)
    assert found == planned()
    assert found != planned(seed=2)


def test_a_trace_is_played_faster(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,prompt_id\n0,0\n4,1\n8,0\n")
    found = planned(trace=str(trace), rate=None, duration=None, speed=2.0)
    assert [s.at for s in found] == [0.0, 2.0, 4.0]
    assert found[0].order.prompt == found[2].order.prompt != found[1].order.prompt


def test_tenants_have_their_shares():
    found = planned(tenants={"a": 3.0, "b": 1.0})
    share = sum(s.tenant == "a" for s in found) / len(found)
    assert share == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        ({"rate": None}, "--trace"),
        ({"rate": -1.0}, "--rate"),
        ({"trace": "no such file"}, "--trace"),
    ],
)
def test_what_is_wrong_names_the_option(changed, option):
    with pytest.raises(InvalidRequest, match=option):
        planned(**changed)


def test_shares_of_tenants_are_numbers_above_zero():
    assert sendings.shares("--tenant", ["a", "b=2.5"]) == {"a": 1.0, "b": 2.5}
    for text in ("a=0", "=1", "a=x", "a=inf"):
        with pytest.raises(InvalidRequest, match="--tenant"):
            sendings.shares("--tenant", [text])


async def test_requests_are_what_they_are_said_to_be_at_their_moments():
    async with staged(worker()) as stage:
        line = Line(endpoint=stage.grpc)
        four = [sending(0.01 * n) for n in range(4)]
        levels = iter(["good", "quick", "best", "quick"])
        load = Load(line, four, most=9, order=lambda s: replace(s.order, level=next(levels)))
        await load.run()
    drawn = {record.number: record.level for record in load.records}
    assert drawn == {0: "good", 1: "quick", 2: "best", 3: "quick"}


async def test_load_reaches_a_cluster_that_is_closed(tmp_path):
    authority = Authority()
    certificate, key = authority.issue(tmp_path)
    files = TlsFiles(certificate=certificate, key=key)
    async with guarded(worker(), tls=files) as (router, address, _):
        await eventually(lambda: router.service.ready)
        ca = write(tmp_path / "ca.pem", authority.pem)
        load = Load(Line(endpoint=address, tls=Tls(ca=ca)), [sending(0.0)], most=9)
        await load.run()
    assert [record.code for record in load.records] == ["OK"]


async def test_a_load_that_is_ended_answers_what_it_has_sent_and_no_more():
    async with staged(worker()) as stage:
        load = Load(Line(endpoint=stage.grpc), [sending(0.0), sending(600.0)], most=9)
        running = asyncio.create_task(load.run())
        await eventually(lambda: load.under_way or load.records)
        load.end()
        async with asyncio.timeout(60):
            await running
    assert [(record.number, record.code) for record in load.records] == [(0, "OK")]


async def test_the_load_of_tests_on_a_node_tells_a_record_of_each_prompt():
    script, drawing = Path(__file__).parents[1] / "cluster" / "load.py", worker()
    async with staged(drawing) as stage:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), stage.grpc, "20", "600"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await eventually(lambda: len(drawing.calls) > 2, 90)
        process.stdin.close()
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    records = [Record(**json.loads(line)) for line in out.splitlines()]
    assert records
    assert {record.code for record in records} == {"OK"}
