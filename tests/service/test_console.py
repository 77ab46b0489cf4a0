"""The console's HTTP interface over a real router: who is let in, what is told, what is refused."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from argus_console import web
from argus_console.console import Console, Routers
from argus_console.guard import ASKED, COOKIE
from argus_core.errors import InvalidRequest
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_router.router import Router
from argus_rpc import roster
from argus_rpc.keys import CONTROL, line, new_key
from helpers import eventually
from router_support import ScriptedWorker, cluster_of, collect, staged

SHOP, LOOKER = new_key(), new_key()
CHANGE = {ASKED: "test"}
WISH = {"prompt": "a red circle", "seed": 3}


@asynccontextmanager
async def shown(address, **how):
    """A console over a router, and a session of its own."""
    console = Console(Routers(addresses=[address], **how.pop("keys_of", {})), **how)
    url = await console.start()
    jar = aiohttp.CookieJar(unsafe=True)  # Of an address, that is.
    async with aiohttp.ClientSession(base_url=url, cookie_jar=jar) as session:
        try:
            await eventually(lambda: console.scene.there)
            yield console, session
        finally:
            await console.stop()


@pytest.fixture
async def open_one():
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker) as stage, shown(stage.grpc) as (console, session):
        await eventually(lambda: console.scene.cluster.workers)
        yield stage, console, session


@pytest.fixture
async def keyed(tmp_path):
    """A router and a console with the same keys."""
    keys = tmp_path / "keys"
    keys.write_text(f"{line('shop', SHOP)}\n{line(CONTROL, LOOKER)}\n")
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    await worker.start()
    router = Router(cluster_of(), workers=roster.found([worker.address]), keys=[keys])
    address, _ = await router.start()
    own = {"api_key": SHOP, "control_key": LOOKER}
    try:
        async with shown(address, keys=keys, keys_of=own) as (_, session):
            yield session, keys
    finally:
        await router.stop(0)
        await worker.die()


async def events_of(answer, *, most=100):
    """The next of a stream, until it ends or there are so many; what came besides stays there."""
    events = []
    while len(events) < most and (frame := await answer.content.readuntil(b"\n\n")):
        kind, data = frame.decode().split("\ndata: ", 1)
        events.append((kind.removeprefix("event: "), json.loads(data)))
    return events


async def status(answer):
    async with answer as got:
        return got.status


async def test_state_tells_cluster_load_and_plans_as_they_change(open_one):
    stage, _, session = open_one
    async with session.get("/api/live") as answer:
        assert answer.content_type == "text/event-stream"
        ((kind, told),) = await events_of(answer, most=1)
        state = told["state"]
        assert (kind, state["there"], state["cluster"]["name"]) == ("state", True, "test")
        assert [one["name"] for one in state["cluster"]["workers"]] == ["w0"]
        assert state["cluster"]["held"] == {"large+tiny": 1, "away": 1}
        assert told["plans"] == []
        plan = cluster_pb2.Plan(id=7, reason="because")
        record = control_pb2.PlanRecord(plan=plan, changes=True, followed=True)
        await stage.control.RecordPlans(control_pb2.RecordPlansRequest(records=[record]))
        async with asyncio.timeout(60):
            while not (plans := told.get("plans")):
                ((_, told),) = await events_of(answer, most=1)
        assert [(one["id"], one["reason"]) for one in plans] == [(7, "because")]
    async with session.get("/api/plans/7") as answer:
        assert (await answer.json())["reason"] == "because"
    assert await status(session.get("/api/plans/8")) == 404


async def test_every_router_is_heard_and_their_loads_add_up(open_one):
    stage, _, _ = open_one
    worker = ScriptedWorker("w1", "large", "tiny")
    worker.automatic = True
    async with staged(worker) as second:
        console = Console(Routers(addresses=[stage.grpc, second.grpc]))
        await console.start()
        try:
            watches = console.scene._watches
            await eventually(lambda: len(watches) == 2 and all(w.reports for w in watches.values()))
            for each in (stage, second):
                await collect(each.draw())
            await eventually(lambda: console.scene.lately()["arrivals"] == 2)
            assert sum(console.scene.arrivals()) == 2
        finally:
            await console.stop()


async def test_a_picture_is_drawn_with_its_reason_and_levels_weighed(open_one):
    _, _, session = open_one
    async with session.post("/api/draw", json=WISH, headers=CHANGE) as answer:
        events = await events_of(answer)
    assert [kind for kind, _ in events] == ["accepted", "picture"]
    accepted, picture = (told for _, told in events)
    assert accepted["decision"]["level"] == picture["decision"]["level"] == "best"
    assert {one["level"] for one in accepted["decision"]["options"]} == {"best", "good", "quick"}
    assert picture["image"].startswith("data:image/png;base64,")
    assert (picture["seed"], picture["worker"]) == ("3", "w0")


async def test_what_the_router_refuses_is_told_with_its_status_and_field(open_one):
    _, _, session = open_one
    async with session.post("/api/draw", json={**WISH, "level": "nope"}, headers=CHANGE) as answer:
        assert answer.status == 400
        assert (await answer.json())["fields"] == {
            "level": "there is no such level; there are best, good, quick; "
            "leave it out, and Argus chooses"
        }
    async with session.post("/api/draw", json={"prompt": 3}, headers=CHANGE) as answer:
        told = await answer.json()
    assert (answer.status, list(told["fields"])) == (400, ["prompt"])


async def test_a_page_that_goes_away_cancels_its_drawing(open_one):
    stage, _, session = open_one
    worker = ScriptedWorker("w1", "tiny")
    await worker.start()
    stage.roster.put_nowait(frozenset([worker.address]))
    await stage.knows(worker)
    post = asyncio.create_task(events_in(session))
    await eventually(lambda: worker.calls)
    post.cancel()
    await eventually(lambda: worker.calls[0].cancelled)
    await worker.die()


async def events_in(session):
    wish = {**WISH, "level": "quick"}
    async with session.post("/api/draw", json=wish, headers=CHANGE) as answer:
        return await events_of(answer)


@pytest.mark.parametrize(
    "headers",
    [{}, {**CHANGE, "Origin": "https://evil.example"}, {**CHANGE, "Origin": "null"}],
    ids=["no header", "another origin", "no origin to speak of"],
)
@pytest.mark.parametrize("path", ["/api/draw", "/api/whatif", "/api/session"])
async def test_another_sites_page_changes_nothing(open_one, headers, path):
    _, _, session = open_one
    assert await status(session.post(path, json=WISH, headers=headers)) == 403


async def test_a_name_that_was_made_to_lead_here_is_refused(open_one):
    _, _, session = open_one
    for path in ("/", "/api/live", "/app.mjs"):
        assert await status(session.get(path, headers={"Host": "evil.example"})) == 403
    assert await status(session.get("/healthz", headers={"Host": "10.0.0.7:8090"})) == 200


async def test_every_answer_forbids_inline_script_and_other_hosts(open_one):
    _, _, session = open_one
    for path in ("/", "/app.mjs", "/vendor/preact.mjs", "/api/session", "/nothing", "/api/live"):
        async with session.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'; script-src 'self';" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_nothing_but_the_pages_own_files_is_served(open_one):
    _, _, session = open_one
    for path in ("/../web.py", "/%2e%2e/web.py", "/vendor/../../web.py", "/web.py", "/etc/passwd"):
        assert await status(session.get(path)) == 404


async def test_bodies_are_json_and_bounded(open_one):
    _, _, session = open_one
    post = session.post("/api/draw", data="prompt=x", headers=CHANGE)
    assert await status(post) == 400
    long = {"prompt": "x" * 20_000}
    assert await status(session.post("/api/draw", json=long, headers=CHANGE)) == 400


async def test_pages_that_look_on_are_bounded(open_one, monkeypatch):
    _, console, session = open_one
    monkeypatch.setattr(web, "_STREAMS", 1)
    address = console.scene.state()["routers"][0]["address"]
    async with shown(address) as (_, other), other.get("/api/live") as first:
        await events_of(first, most=1)
        async with other.get("/api/live") as second:
            assert (second.status, second.headers["Retry-After"]) == (429, "5")


async def test_the_simulator_answers_one_question_at_a_time(open_one):
    _, _, session = open_one
    ask = {"json": {"gpus": 1, "load": 2.0}, "headers": CHANGE}
    posts = [session.post("/api/whatif", **ask) for _ in range(2)]
    answers = await asyncio.gather(*posts)
    told = {answer.status: await answer.json() for answer in answers}
    assert told.keys() == {200, 429}
    assert told[429]["retry_after"] > 0
    now, then = told[200]["now"], told[200]["then"]
    assert (now["gpus"], then["gpus"]) == (2, 3)
    assert then["rate"] == pytest.approx(2 * now["rate"])
    assert then["quality_in_time"] > 0.5
    assert await status(session.post("/api/whatif", json={"gpus": -2}, headers=CHANGE)) == 400


async def test_without_keys_only_this_machine_is_listened_to():
    with pytest.raises(InvalidRequest, match="without keys"):
        Console(Routers(addresses=["127.0.0.1:1"]), http="0.0.0.0:0")


async def test_with_keys_nothing_is_told_before_signing_in(keyed):
    session, _ = keyed
    assert await status(session.get("/")) == 200, "the page that asks for the key"
    async with session.get("/api/session") as answer:
        assert await answer.json() == {"keyed": True, "tenant": None, "draws": True}
    assert await status(session.get("/api/live")) == 401
    assert await status(session.get("/api/plans/1")) == 401
    assert await status(session.post("/api/draw", json=WISH, headers=CHANGE)) == 401
    assert await status(session.post("/api/whatif", json={}, headers=CHANGE)) == 401
    wrong = {"key": new_key()}
    assert await status(session.post("/api/session", json=wrong, headers=CHANGE)) == 401


async def test_a_key_signs_in_by_a_cookie_that_no_script_reads_and_no_site_sends(keyed):
    session, _ = keyed
    async with session.post("/api/session", json={"key": SHOP}, headers=CHANGE) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert (await answer.json())["tenant"] == "shop"
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert SHOP not in cookie
    async with session.post("/api/draw", json=WISH, headers=CHANGE) as answer:
        assert [kind for kind, _ in await events_of(answer)] == ["accepted", "picture"]
    async with session.get("/api/live") as answer:
        assert (await events_of(answer, most=1))[0][1]["state"]["there"]
    assert await status(session.delete("/api/session", headers=CHANGE)) == 200
    assert await status(session.get("/api/live")) == 401


async def test_over_other_names_the_cookie_is_for_https_alone(keyed):
    session, _ = keyed
    headers = {**CHANGE, "Host": "console.example"}
    async with session.post("/api/session", json={"key": SHOP}, headers=headers) as answer:
        assert "Secure" in answer.headers["Set-Cookie"]


async def test_a_key_of_the_control_service_looks_on_and_draws_nothing(keyed):
    session, _ = keyed
    headers = {"Authorization": f"Bearer {LOOKER}"}
    async with session.get("/api/session", headers=headers) as answer:
        assert (await answer.json())["draws"] is False
    assert await status(session.get("/api/live", headers=headers)) == 200
    post = session.post("/api/draw", json=WISH, headers={**headers, **CHANGE})
    assert await status(post) == 403


async def test_a_key_that_is_withdrawn_ends_its_sessions(keyed, monkeypatch):
    monkeypatch.setattr("argus_rpc.fresh.EVERY", 0.0)
    session, keys = keyed
    assert await status(session.post("/api/session", json={"key": SHOP}, headers=CHANGE)) == 200
    assert session.cookie_jar.filter_cookies(session._base_url)[COOKIE]
    keys.write_text(line("other", new_key()))
    assert await status(session.get("/api/plans/1")) == 401


async def test_a_router_that_restarts_is_found_again_and_its_last_word_stays(open_one):
    stage, console, session = open_one
    async with session.get("/api/live") as answer:
        await events_of(answer, most=1)
        await stage.router.stop(0)
        async with asyncio.timeout(60):
            while (told := (await events_of(answer, most=1))[0][1]["state"])["there"]:
                pass
        assert told["cluster"]["name"] == "test"
        assert told["problem"]
        again = Router(cluster_of(), workers=roster.found([]), grpc=stage.grpc)
        await again.start()
        async with asyncio.timeout(60):
            while not (await events_of(answer, most=1))[0][1]["state"]["there"]:
                pass
    await again.stop(0)
