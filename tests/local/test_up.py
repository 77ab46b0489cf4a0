import json
import re
import signal
import socket

import pytest
from PIL import Image

from helpers import eventually
from local_support import START, Command, argus, cluster_document

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def up(tmp_path):
    """Starts `argus up` processes, and ends those that a failed test has left."""
    commands = []

    async def start(document, *options):
        file = tmp_path / "cluster.yaml"
        file.write_text(document)
        commands.append(await Command.start(tmp_path, "up", "-f", str(file), *options))
        return commands[-1]

    yield start
    for command in commands:
        await command.abandon()


@pytest.mark.slow
async def test_cluster_comes_up_draws_tells_switches_and_stops_without_a_trace(up, tmp_path):
    cluster = await up(cluster_document("studio"), "--plan", "off")
    await cluster.said("Ready")

    out = tmp_path / "out.png"
    prompt = "two large red circles left of a blue square"
    await argus(tmp_path, "draw", prompt, "-o", str(out), "--n", "2", "--scale", "1")
    for index in range(2):
        assert Image.open(out.with_stem(f"out-{index}")).size == (48, 48)

    twin = await up(cluster_document("studio"))
    assert await twin.ended() == 1
    assert "a cluster called studio runs already" in twin.output

    told = await argus(tmp_path, "assign", "cpu-0", "second")
    assert "cpu-0 holds second" in told
    status = json.loads(await argus(tmp_path, "status", "--json"))
    assert {w["worker"]: w["loadout"] for w in status["workers"]} == {
        "cpu-0": ["second"],
        "cpu-1": ["second"],
    }
    assert status["plan"]["solver"] == "spread"
    assert "as assigned by hand" in await argus(tmp_path, "status")
    await tells_why(tmp_path)

    processes = cluster.descendants
    assert len(processes) == 5
    cluster.signal(signal.SIGTERM)
    assert await cluster.ended() == 0, cluster.output
    assert {"router", "predictor", "console", "cpu-0", "cpu-1"} <= set(cluster.output.split())
    assert not [process for process in processes if process.is_running()]
    with pytest.raises(AssertionError, match="no cluster runs"):
        await argus(tmp_path, "status")


async def tells_why(tmp_path):
    """`argus why` and `argus top` of a cluster that drew two pictures and was switched by hand."""

    async def switched():
        changes = await argus(tmp_path, "why")
        by_hand = ": as assigned by hand\n  1 of 1 workers have switched, within"
        return changes if by_hand in changes else None

    changes = await eventually(switched, START)
    assert ": every variant is held by a worker" in changes
    began = re.match(r"(\S+ \S+), plan 1: every", changes)[1]
    then = await argus(tmp_path, "why", "--at", began)
    assert then.splitlines()[0].endswith("every variant is held by a worker")

    drawn = await argus(tmp_path, "why", "--request", "latest")
    assert "2 images at any level" in drawn
    assert drawn.count("drew it at") == 2
    assert "red circle" not in drawn
    seen = await argus(tmp_path, "top", "--once", "--interval", "0.2")
    assert re.search(r"second +│ █+ +│ 2/2 +│ 2 ", seen)
    assert "as assigned by hand" in seen


@pytest.mark.slow
async def test_killed_argus_up_takes_its_children_along(up):
    cluster = await up(cluster_document("studio", workers=1))
    await eventually(lambda: len(cluster.descendants) >= 2, timeout=START)
    processes = cluster.descendants
    cluster.signal(signal.SIGKILL)
    await eventually(lambda: not any(p.is_running() for p in processes), timeout=START)


async def test_child_that_cannot_start_ends_argus_up_with_its_reason(up):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster = await up(cluster_document("studio", workers=1, router={"grpcPort": port}))
        assert await cluster.ended() == 1
    assert "router cannot be kept alive" in cluster.output
    assert f"cannot listen on 127.0.0.1:{port}" in "".join(cluster.output.split("\n"))


async def test_wrong_document_is_refused_before_anything_starts(up):
    cluster = await up(cluster_document("studio").replace("workers: 2", "workers: 0"))
    assert await cluster.ended() == 1
    assert "spec.pools[0].workers" in cluster.output
