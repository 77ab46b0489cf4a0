"""Starts from cached latents in a whole cluster, and what becomes of requests when parts fail."""

import asyncio
import os
import signal
from collections import Counter

import pytest

from argus_cli.local.cluster import PREDICTOR
from argus_cli.local.supervisor import ChildState
from argus_client import AsyncClient, Order
from argus_client.patience import nothing
from argus_client.retry import Retry
from argus_core.errors import ArgusError, InvalidRequest
from helpers import eventually
from local_support import START, cluster_document, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
PROMPT = "two large red circles left of a blue square"


def level(name, skipped, quality, seconds):
    return {
        "name": name,
        "variant": "first",
        "steps": 40,
        "skippedSteps": skipped,
        "guidanceScale": 2.0,
        "quality": quality,
        "seconds": {"cpu": seconds},
    }


def document(folder):
    ladder = [
        level("full", 0, 1.0, 0.1),
        level("started", 20, 0.9, 0.05),
        {**level("other", 0, 0.1, 0.1), "variant": "second"},
    ]
    store = {"url": f"directory:{folder / 'latents'}", "maxBytes": 100_000_000}
    return cluster_document("starts", workers=2, ladder=ladder, latentStore=store)


async def begun(client, told=nothing):
    """The image begun from a latent of its prompt; waits until there is one to begin from.

    `told` hears of its steps.
    """
    found, order = [], Order(prompt=PROMPT, level="started", deadline=60)

    async def drawn():
        try:
            found.extend(await client.draw(order, on_progress=told))
        except InvalidRequest as error:
            if "latent" not in str(error):
                raise
        return found

    await eventually(drawn, timeout=START)
    return found[0]


async def load(client, count, *, at_once=4):
    """Prompts that repeat, and how each ended."""
    places = asyncio.Semaphore(at_once)

    async def one(number):
        async with places:
            try:
                (image,) = await client.draw(
                    Order(prompt=f"a red circle {number % 7}", deadline=60)
                )
            except ArgusError as error:
                return type(error).__name__
            return "drawn" if image.image().size == (48, 48) else "wrong"

    return Counter(await asyncio.gather(*map(one, range(count))))


async def test_prompt_asked_again_begins_from_its_own_latent(tmp_path):
    async with (
        running_cluster(tmp_path, document(tmp_path)) as cluster,
        AsyncClient(cluster.router["grpc"]) as client,
    ):
        (first,) = await client.draw(Order(prompt=PROMPT, level="full", deadline=60))
        steps = []
        image = await begun(client, lambda progress: steps.append(progress.step))
        assert first.decision.start_similarity is None
        assert image.decision.start_similarity > 0.99
        assert steps
        assert min(steps) > 20, "no step was taken that the latent has behind it"


async def test_latent_of_another_tenant_is_none(tmp_path):
    async with (
        running_cluster(tmp_path, document(tmp_path)) as cluster,
        AsyncClient(cluster.router["grpc"], tenant="one") as one,
        AsyncClient(cluster.router["grpc"], tenant="two") as two,
    ):
        await one.draw(Order(prompt=PROMPT, level="full", deadline=60))
        await begun(one)
        with pytest.raises(InvalidRequest, match="latent"):
            await two.draw(Order(prompt=PROMPT, level="started", deadline=60))


async def test_store_that_is_spoilt_under_load_loses_no_request(tmp_path):
    async with (
        running_cluster(tmp_path, document(tmp_path)) as cluster,
        AsyncClient(cluster.router["grpc"]) as client,
    ):
        await client.draw(Order(prompt=PROMPT, level="full", deadline=60))
        await begun(client)
        loading = asyncio.create_task(load(client, 120))
        for file in (tmp_path / "latents").rglob("*"):
            if file.is_file():
                file.write_bytes(b"spoilt" * 100)
        assert await loading == {"drawn": 120}


async def test_predictor_killed_under_load_loses_no_request(tmp_path):
    async with (
        running_cluster(tmp_path, document(tmp_path)) as cluster,
        AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1)) as client,
    ):
        view = cluster.supervisor.views[PREDICTOR]
        loading = asyncio.create_task(load(client, 120))
        os.kill(view.pid, signal.SIGKILL)
        assert await loading == {"drawn": 120}
        await eventually(lambda: view.restarts == 1 and view.state == ChildState.UP, timeout=START)
        await client.draw(Order(prompt=PROMPT, level="full", deadline=60))
        await begun(client)
