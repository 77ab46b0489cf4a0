"""The real processes: router, predictor and workers, as `argus up` starts them."""

import asyncio
import json
import signal
import socket
import sys

import aiohttp
import grpc
import openai
import pytest
import yaml

from argus_protos.v1 import images_pb2, worker_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_rpc.channel import open_channel
from argus_rpc.convert import duration
from argus_rpc.roster import parse_roster
from helpers import eventually
from router_support import collect
from support.process import SLOW, process


def document():
    level = {"name": "tiny", "variant": "shapes-tiny", "quality": 0.8, "seconds": {"cpu": 0.3}}
    return {
        "apiVersion": "argus.dev/v1alpha1",
        "kind": "ArgusCluster",
        "metadata": {"name": "test"},
        "spec": {
            "pools": [{"name": "cpu", "workers": 1}],
            "variants": [
                {"name": name, "model": "builtin:shapes-tiny", "family": "shapes"}
                for name in ("shapes-tiny", "twin")
            ],
            "ladder": [
                {**level, "steps": 8},
                {**level, "name": "other", "variant": "twin", "steps": 8, "quality": 0.7},
                {**level, "name": "long", "steps": 1000, "quality": 0.5, "seconds": {"cpu": 20}},
            ],
            "defaultSize": {"width": 48, "height": 48},
        },
    }


def worker(cluster):
    return process(
        *("argus_worker", "--cluster", cluster, "--name", "w0", "--pool", "cpu"),
        *("--loadout", "shapes-tiny", "--threads", "1", "--grace", "1"),
    )


@pytest.fixture
def cluster(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(document()))
    return path


async def is_ready(http):
    async with aiohttp.ClientSession() as session, session.get(f"{http}/readyz") as answer:
        return answer.status == 200


@pytest.mark.timeout(600)
async def test_whole_path_draws_and_survives_a_killed_worker(cluster, tmp_path):
    roster = tmp_path / "workers.json"
    roster.write_text("[]")
    async with (
        process("argus_predictor", "--cluster", cluster) as (_, predictor),
        process(
            *("argus_router", "--cluster", cluster, "--workers-file", roster),
            *("--predictor", predictor["address"], "--grace", "5"),
        ) as (router, told),
        open_channel(told["grpc"]) as channel,
    ):
        images = ImageServiceStub(channel)
        async with worker(cluster) as (first, where):
            roster.write_text(json.dumps([{"worker": "w0", **where}]))
            await eventually(lambda: is_ready(told["http"]), timeout=SLOW)
            await draws_over_grpc(images)
            await draws_over_http(told["http"])
            await refuses_a_size_it_cannot_draw(images)
            doomed = images.Generate(
                images_pb2.GenerateRequest(
                    prompt="a large red circle", level="long", deadline=duration(SLOW)
                )
            )
            await begun(doomed)
            first.kill()
        # The replacement is another process at another address, as after a restart.
        cheap = images.Generate(
            images_pb2.GenerateRequest(
                prompt="a large red circle", level="tiny", deadline=duration(SLOW)
            )
        )
        async with worker(cluster) as (_, where):
            roster.write_text(json.dumps({"worker": "w0", **where}) + "\n")
            assert (await collect(cheap))[-1].result.image.data.startswith(b"\x89PNG")
            await begins_again(doomed)
        router.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(router.wait(), SLOW) == 0


async def draws_over_grpc(images):
    request = images_pb2.GenerateRequest(prompt="a large red circle", seed=1, explain=True)
    first, again = [await collect(images.Generate(request)) for _ in range(2)]
    result = first[-1].result
    assert result.image.data.startswith(b"\x89PNG")
    assert result.image.data == again[-1].result.image.data
    assert (result.decision.level, result.worker, result.attempts) == ("tiny", "w0", 1)
    assert len(result.decision.options) == 3


async def draws_over_http(http):
    async with openai.AsyncOpenAI(base_url=f"{http}/v1", api_key="any") as client:
        response = await client.images.generate(prompt="a large red circle", n=2)
    assert len({image.b64_json for image in response.data}) == 2


async def refuses_a_size_it_cannot_draw(images):
    request = images_pb2.GenerateRequest(prompt="a large red circle")
    request.size.width, request.size.height = 8000, 8000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(images.Generate(request))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "size.width" in caught.value.details()


FAR = 20
"""Steps, of a thousand, after which an image that is begun again is seen to go back."""


async def begun(call):
    """Wait until so many steps of an image are done."""
    while (event := await call.read()) is not grpc.aio.EOF:
        if event.progress.step >= FAR:
            return
    raise AssertionError("the image has ended")


async def begins_again(call):
    """Wait until the steps go back, as they do where another worker begins; then hang up."""
    last = FAR
    while (event := await call.read()) is not grpc.aio.EOF:
        if event.progress.step < last:
            call.cancel()
            return
        last = event.progress.step
    raise AssertionError("the image was never begun again")


@pytest.mark.timeout(600)
async def test_no_request_is_lost_while_the_worker_switches_to_and_fro(cluster):
    async with (
        worker(cluster) as (_, where),
        process("argus_router", "--cluster", cluster, "--worker", where["address"]) as (_, told),
        open_channel(told["grpc"]) as channel,
        open_channel(where["address"]) as direct,
    ):
        images = ImageServiceStub(channel)
        await eventually(lambda: is_ready(told["http"]), timeout=SLOW)
        stop, levels = asyncio.Event(), []
        clients = [asyncio.create_task(keep_drawing(images, stop, levels)) for _ in range(3)]
        for number in range(6):
            enough = len(levels) + 3
            await eventually(lambda enough=enough: len(levels) >= enough, timeout=SLOW)
            loadout = [("twin", "shapes-tiny")[number % 2]]
            await WorkerServiceStub(direct).Assign(worker_pb2.AssignRequest(loadout=loadout))
        stop.set()
        await asyncio.gather(*clients)
    assert {"tiny", "other"} <= set(levels)


async def keep_drawing(images, stop, levels):
    """Send one request after the other, at whatever level there is; none may fail."""
    while not stop.is_set():
        request = images_pb2.GenerateRequest(
            prompt="a large red circle", deadline=duration(SLOW), minimum_quality=0.6
        )
        levels.append((await collect(images.Generate(request)))[-1].result.decision.level)


async def test_a_port_that_is_taken_is_told_in_a_line(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(document()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ("--cluster", str(file), "--worker", "127.0.0.1:1", "--grpc", "127.0.0.1:0")
        router = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "argus_router", *options, "--http", at),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(router.communicate(), SLOW)
    assert router.returncode == 1
    assert said.decode() == f"argus-router: cannot listen on {at}: Address already in use\n"


@pytest.mark.parametrize(
    "text",
    ["{}", "[1]", '[{"worker": "w0"}]', '[{"address": 3}]', '[{"address": ""}]', "[", "nonsense"],
)
def test_roster_that_makes_no_sense_is_refused(text):
    with pytest.raises(Exception, match="workers"):
        parse_roster(text)


def test_roster_is_a_list_or_lines():
    entry = '{"worker": "w0", "address": "127.0.0.1:1"}'
    other = '{"worker": "w1", "address": "127.0.0.1:2"}'
    both = frozenset({"127.0.0.1:1", "127.0.0.1:2"})
    assert parse_roster(f"[{entry}, {other}]") == both
    assert parse_roster(f"{entry}\n\n{other}\n") == both
    assert parse_roster("") == frozenset()
    assert parse_roster(" [] ") == frozenset()
