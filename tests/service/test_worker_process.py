"""The worker as a process: it announces where it listens, draws, and drains on SIGTERM."""

import asyncio
import json
import signal
import sys
from urllib.request import urlopen

import pytest
import torch
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from argus_cli.local.ports import free_port
from argus_protos.v1 import cluster_pb2, worker_pb2, worker_pb2_grpc
from argus_rpc.channel import open_channel
from argus_rpc.peers import host_of, peers_of
from engine_support import ask, begun, collect, now, phase
from helpers import eventually
from security_support import Authority

CLUSTER = {
    "apiVersion": "argus.dev/v1alpha1",
    "kind": "ArgusCluster",
    "metadata": {"name": "one"},
    "spec": {
        "pools": [{"name": "cpu", "workers": 1, "slots": 3}],
        "variants": [{"name": "tiny", "model": "builtin:shapes-tiny", "family": "shapes"}],
        "ladder": [
            {"name": "l", "variant": "tiny", "steps": 8, "quality": 1, "seconds": {"cpu": 0.1}}
        ],
    },
}


def scraped(address):
    """Every sample that a process shows to Prometheus."""
    with urlopen(f"http://{address}/metrics") as page:
        lines = page.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def start(folder, *arguments):
    document = folder / "cluster.yaml"
    document.write_text(yaml.safe_dump(CLUSTER))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "argus_worker", "--name", "w7", "--cluster", str(document)),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.timeout(180)
async def test_a_worker_process_announces_itself_draws_and_drains(tmp_path):
    """It speaks mutual TLS with its peers, and plainly with who probes or scrapes it."""
    Authority().secret(tmp_path / "tls", host_of("one", "default"))
    closed = ("--internal-tls", str(tmp_path / "tls"), "--probe", f"127.0.0.1:{free_port()}")
    options = ("--pool", "cpu", "--loadout", "tiny", "--metrics-port", "0", *closed)
    process = await start(tmp_path, *options)
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        said = json.loads(line)
        peers = peers_of(tmp_path / "tls", "one", "default")
        async with (
            open_channel(said["address"], peers) as channel,
            open_channel(closed[-1]) as probe,
        ):
            stub = worker_pb2_grpc.WorkerServiceStub(channel)
            state = await phase(stub, "READY", patience=120)
            assert (state.worker, state.pool, state.slots) == ("w7", "cpu", 3)
            health = health_pb2_grpc.HealthStub(probe)
            told = await health.Check(health_pb2.HealthCheckRequest(), timeout=30)
            assert told.status == health_pb2.HealthCheckResponse.SERVING
            # Longer than is looked for here, and called off then.
            call = await begun(stub.Execute(ask(steps=1000, preview_every_steps=1)))
            assert (await now(stub)).in_flight == 1
            told = await asyncio.to_thread(scraped, said["metrics"])
            call.cancel()
            assert told["argus_worker_in_flight"] == 1
            assert told['argus_worker_phase{phase="ready"}'] == 1
            assert told["argus_worker_model_load_duration_seconds_count"] == 1

            async def idle():
                return (await now(stub)).in_flight == 0

            await eventually(idle)
            watch = stub.Watch(worker_pb2.WatchRequest())
            await watch.read()
            call = await begun(stub.Execute(ask(steps=200)))
            process.send_signal(signal.SIGTERM)
            stopping = cluster_pb2.WORKER_PHASE_STOPPING
            async with asyncio.timeout(60):
                while (await watch.read()).state.phase != stopping:
                    pass
            assert (await collect(call))[-1].HasField("result"), "what runs is finished"
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert await process.stdout.read() == b"", "one line of JSON and no more"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_an_unknown_pool_is_refused_before_anything_is_loaded(tmp_path):
    process = await start(tmp_path, "--pool", "gpu")
    _, errors = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 1
    assert b"no pool 'gpu'" in errors


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
async def test_a_gpu_that_there_is_not_is_told_in_a_line(tmp_path):
    process = await start(tmp_path, "--pool", "cpu", "--device", "cuda:0")
    _, errors = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line.startswith("argus-worker: cuda:0 cannot be used: ")
    assert line.endswith("; a pool with gpuType cpu draws without a GPU")
