"""The router and cached latents: what it asks, what it sends to workers, what it does without."""

import logging

import grpc
import pytest

from argus_core.errors import InvalidRequest
from argus_rpc.errors import from_rpc
from helpers import eventually
from router_support import (
    EMBEDDING,
    KEY,
    ScriptedPredictor,
    ScriptedWorker,
    cluster_of,
    collect,
    predicting,
    space_of,
    staged,
)

QUALITIES = {"best": 0.95, "begun": 1.0, "good": 0.9, "quick": 0.6}
COMPATIBLE = f"{space_of('large')};steps=20;guidance=1.0;size=32x32"


pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def predictor():
    """Has a start for the level `begun`, and thinks so well of it that it is taken."""
    scripted = ScriptedPredictor(**QUALITIES)
    scripted.offer("begun")
    return scripted


@pytest.fixture
def worker():
    scripted = ScriptedWorker("w0", "large", "tiny")
    scripted.automatic = True
    return scripted


class At:
    """A stage whose predictor is there, entered with `async with`."""

    def __init__(self, worker, predictor, **document):
        self._worker, self._predictor = worker, predictor
        self._cluster = cluster_of(**{"store": {}, **document})

    async def __aenter__(self):
        self._predicting = predicting(self._predictor)
        address = await self._predicting.__aenter__()
        self._staged = staged(self._worker, cluster=self._cluster, predictor=address)
        return await self._staged.__aenter__()

    async def __aexit__(self, *error):
        await self._staged.__aexit__(*error)
        await self._predicting.__aexit__(*error)


async def drawn(stage, **fields):
    """The result of one image."""
    return (await collect(stage.draw(**fields)))[-1].result


async def refused(stage, **fields):
    """What a request is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(stage.draw(**fields))
    return from_rpc(caught.value)


async def test_image_begins_from_the_latent_that_the_predictor_names(worker, predictor):
    async with At(worker, predictor) as stage:
        result = await drawn(stage, tenant="one")
        assert await stage.metric('argus_router_starts_total{outcome="used"}') == 1
        assert await stage.metric("argus_router_starts_open") == 1
    (asked,), (call,) = predictor.asked, worker.calls
    assert (asked.scope, asked.with_embedding) == ("one", True)
    assert asked.compatibility["begun"] == COMPATIBLE
    assert asked.compatibility.keys() == QUALITIES.keys()
    start = call.request.start
    assert (start.key, start.step, start.compatibility) == (KEY, 10, COMPATIBLE)
    assert call.request.scope == "one"
    assert (result.decision.level, result.schedule.skipped_steps) == ("begun", 10)
    assert result.decision.start_similarity == pytest.approx(0.9)
    assert "0.90" in result.decision.reason


async def test_nothing_is_asked_or_believed_of_latents_without_a_store(worker, predictor):
    del predictor.qualities["begun"]
    predictor.captures["best"] = [5]
    predictor.offer("best")
    async with At(worker, predictor, store=None) as stage:
        result = await drawn(stage)
    (asked,), (call,) = predictor.asked, worker.calls
    assert (asked.scope, asked.with_embedding, len(asked.compatibility)) == ("", False, 0)
    assert result.decision.level == "best"
    assert not result.decision.HasField("start_similarity")
    assert not call.request.HasField("start")
    assert not call.request.HasField("keep")


async def test_levels_that_no_worker_holds_are_not_asked_about(predictor):
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with At(worker, predictor) as stage:
        assert (await drawn(stage)).decision.level == "quick"
    assert set(predictor.asked[0].compatibility) == {"quick"}


async def test_missing_latent_costs_no_attempt_and_is_not_tried_again(worker, predictor):
    worker.missing = {KEY}
    async with At(worker, predictor) as stage:
        result = await drawn(stage)
        assert await stage.metric('argus_router_starts_total{outcome="missed"}') == 1
    assert (result.decision.level, result.attempts, worker.misses) == ("best", 1, 1)
    assert not result.decision.HasField("start_similarity")


async def test_level_that_needs_a_latent_is_refused_by_name_where_there_is_none(worker, predictor):
    async with At(worker, predictor) as stage:
        assert (await drawn(stage, level="begun")).decision.level == "begun"
        worker.missing = {KEY}
        gone = await refused(stage, level="begun")
        predictor.starts.clear()
        never = await refused(stage, level="begun")
    for error in (gone, never):
        assert isinstance(error, InvalidRequest)
        assert "needs a latent" in str(error)


async def test_least_quality_holds_for_what_begins_from_a_latent(worker, predictor):
    predictor.qualities |= {"best": 0.5, "begun": 0.4, "good": 0.3, "quick": 0.2}
    async with At(worker, predictor) as stage:
        assert (await drawn(stage, minimum_quality=0.45)).decision.level == "best"
        assert "minimum" in str(await refused(stage, minimum_quality=0.45, level="begun"))


async def test_seed_is_kept_to_by_drawing_in_full(worker, predictor):
    predictor.captures["best"] = [5]
    async with At(worker, predictor) as stage:
        result = await drawn(stage, seed=7)
        assert "needs a latent" in str(await refused(stage, seed=7, level="begun"))
    assert (result.decision.level, result.seed) == ("best", 7)
    assert list(worker.calls[0].request.capture_steps) == [5]


async def test_negative_prompt_neither_begins_from_latents_nor_leaves_any(worker, predictor):
    predictor.captures["best"] = [5]
    async with At(worker, predictor) as stage:
        result = await drawn(stage, negative_prompt="a square")
    request = worker.calls[0].request
    assert result.decision.level == "best"
    assert not predictor.asked[0].compatibility
    assert not request.HasField("keep")
    assert not request.capture_steps


async def test_only_the_first_of_several_images_begins_from_a_latent(worker, predictor):
    predictor.captures = {"best": [5], "begun": [15]}
    async with At(worker, predictor) as stage:
        await collect(stage.draw(count=3))
    requests = [call.request for call in worker.calls]
    assert sorted(r.HasField("start") for r in requests) == [False, False, True]
    assert sorted(r.HasField("keep") for r in requests) == [False, False, True]


async def test_what_is_kept_is_of_the_level_drawn_and_of_steps_that_are_new(worker, predictor):
    predictor.captures = {"best": [5], "begun": [5, 10, 15]}
    async with At(worker, predictor, store={"timeToLiveSeconds": 60}) as stage:
        await drawn(stage, tenant="one")
    request = worker.calls[0].request
    assert list(request.capture_steps) == [15]
    assert (request.keep.embedding, request.keep.encoder) == (EMBEDDING, "scripted")
    assert (request.keep.time_to_live.seconds, request.scope) == (60, "one")


async def test_tenants_share_only_where_the_document_says_so(worker, predictor):
    async with At(worker, predictor, store={"shared": True}) as stage:
        await drawn(stage, tenant="one")
    assert predictor.asked[0].scope == worker.calls[0].request.scope
    shared = predictor.asked[0].scope
    async with At(ScriptedWorker("w1"), predictor) as stage:
        error = await refused(stage, tenant=shared)
    assert [violation.field for violation in error.violations] == ["argus-tenant"]


@pytest.mark.parametrize("tenant", ["One", "", "a" * 64, "a/b", "..", "-a", "a, b"])
async def test_tenant_that_is_no_name_is_refused_by_either_front(predictor, tenant):
    async with At(ScriptedWorker("w0", "tiny"), predictor) as stage:
        error = await refused(stage, tenant=tenant)
        body, headers = {"prompt": "a red circle"}, {"Argus-Tenant": tenant}
        async with stage.session.post(
            "/v1/images/generations", json=body, headers=headers
        ) as response:
            told = (response.status, (await response.json())["error"]["param"])
    assert [violation.field for violation in error.violations] == ["argus-tenant"]
    assert told == (400, "argus-tenant")
    assert not predictor.asked


async def test_header_names_the_tenant(worker, predictor):
    async with At(worker, predictor) as stage:
        for headers in ({"Argus-Tenant": "one"}, {}):
            await stage.session.post(
                "/v1/images/generations", json={"prompt": "a red circle"}, headers=headers
            )
    assert [asked.scope for asked in predictor.asked] == ["one", "default"]


async def test_starts_close_when_the_store_fails_and_open_when_it_is_back(
    worker, predictor, caplog
):
    caplog.set_level(logging.INFO, "argus_router.fetches")
    worker.missing = {KEY}
    async with At(worker, predictor) as stage:
        for _ in range(5):
            await drawn(stage)
        assert worker.misses == 5
        assert (await drawn(stage)).decision.level == "best"
        assert worker.misses == 5
        assert await stage.metric('argus_router_starts_total{outcome="closed"}') == 1
        assert await stage.metric("argus_router_starts_open") == 0
        worker.missing = set()

        async def back():
            await drawn(stage)
            return await stage.metric("argus_router_starts_open")

        await eventually(back)
        assert (await drawn(stage)).decision.level == "begun"
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    assert "closed" in said[0]
    assert "open again" in said[1]


async def test_worker_of_another_latent_space_is_not_given_the_start(worker, predictor):
    other = ScriptedWorker("w1", "large")
    worker.automatic = False
    other.state.latent_spaces["large"] = "another"
    async with At(worker, predictor) as stage:
        await other.start()
        stage.roster.put_nowait(frozenset({worker.address, other.address}))
        await stage.knows(worker, other)
        for number in range(3):
            # Both at once, so that either worker draws one.
            calls = [stage.draw() for _ in range(2)]
            for mine in (worker, other):
                await eventually(lambda mine=mine, number=number: len(mine.calls) > number)
                mine.calls[-1].finish()
            for call in calls:
                await collect(call)
        await other.die()
    begun = [(w, c.request.start) for w in (worker, other) for c in w.calls if c.request.start.key]
    assert begun
    for mine, start in begun:
        assert start.compatibility.startswith(mine.state.latent_spaces["large"] + ";")


async def test_what_a_worker_refuses_of_latents_is_left_out(worker, predictor):
    predictor.captures["begun"] = [15]
    worker.refuse = lambda: (
        InvalidRequest.one("start", "must hold data") if not worker.refusals else None
    )
    async with At(worker, predictor) as stage:
        result = await drawn(stage)
    assert (result.decision.level, result.attempts, worker.refusals) == ("best", 1, 1)
    assert not worker.calls[0].request.HasField("keep")
