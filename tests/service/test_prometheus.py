"""The Prometheus that other tests scrape with."""

import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from helpers import eventually
from prometheus_support import prometheus_server


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
        tmp_path, targets=targets, rules=[rules], interval=0.2
    ) as prometheus:

        async def value():
            return await prometheus.query("level_ratio")

        ((labels, found),) = await eventually(value, timeout=30)
        assert (labels["cluster"], found) == ("studio", 0.5)
        assert await prometheus.alerts() == []
        level.set(0.7)
        (fired,) = await eventually(prometheus.alerts, timeout=30)
        assert fired["labels"]["alertname"] == "High"
        assert "level_ratio" in await prometheus.names()
        level.set(0.5)

        async def silent():
            return await prometheus.alerts() == []

        await eventually(silent, timeout=30)
    server.shutdown()
    server.server_close()
    thread.join()
