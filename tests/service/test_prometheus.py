"""The Prometheus that other tests scrape with."""

import time

import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from argus_protos.v1 import images_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_rpc.channel import open_channel
from helpers import eventually
from prometheus_support import prometheus_server
from router_support import ScriptedWorker, cluster_of, collect
from support.collector import collecting
from support.process import process

TRACE = "0af7651916cd43dd8448eb211c80319c"
DURATION = "argus_router_request_duration_seconds_bucket"


async def test_target_is_scraped_and_its_rule_fires_and_resolves(tmp_path):
    registry = CollectorRegistry()
    level = Gauge("level_ratio", "Of something.", registry=registry)
    level.set(0.5)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    rules = tmp_path / "rules.yaml"
    alert = {"alert": "High", "expr": "level_ratio > 0.6", "labels": {"severity": "page"}}
    rules.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [alert]}]}))
    targets = [
        {"targets": [f"127.0.0.1:{server.server_port}"], "labels": {"cluster": "studio"}},
    ]
    async with prometheus_server(
        tmp_path, targets=targets, rules=[rules], interval=0.5
    ) as prometheus:

        async def value():
            return await prometheus.query("level_ratio")

        ((labels, found),) = await eventually(value, timeout=90)
        assert (labels["cluster"], found) == ("studio", 0.5)
        assert await prometheus.alerts() == []
        level.set(0.7)
        (fired,) = await eventually(prometheus.alerts, timeout=90)
        assert fired["labels"]["alertname"] == "High"
        assert "level_ratio" in await prometheus.names()
        level.set(0.5)

        async def silent():
            return await prometheus.alerts() == []

        await eventually(silent, timeout=90)
    server.shutdown()
    server.server_close()
    thread.join()


async def test_the_trace_of_a_request_is_an_exemplar_of_its_latency(tmp_path):
    worker, file = ScriptedWorker("w0", "large"), tmp_path / "cluster.yaml"
    worker.automatic = True
    await worker.start()
    file.write_text(cluster_of().model_dump_json(by_alias=True, exclude_none=True))
    router = ("argus_router", "--cluster", file, "--worker", worker.address)
    where = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    began = time.time()
    try:
        async with (
            collecting() as collector,
            process(*router, *where, **collector.environment) as (_, told),
            open_channel(told["grpc"]) as channel,
        ):
            await collect(
                ImageServiceStub(channel).Generate(
                    images_pb2.GenerateRequest(prompt="x"),
                    metadata=(("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"),),
                    timeout=30,
                    wait_for_ready=True,
                )
            )
            targets = [{"targets": [told["http"].rpartition("/")[2]]}]
            async with prometheus_server(tmp_path, targets=targets, interval=0.5) as prometheus:

                async def kept():
                    return await prometheus.exemplars(DURATION, began, time.time() + 1)

                (one,) = await eventually(kept, timeout=90)
                assert one.labels == {"trace_id": TRACE}
                assert one.series["level"] == "best"
                assert 0 < one.value < 30
    finally:
        await worker.die()
