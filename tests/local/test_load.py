"""`argus load` on a whole cluster, and the checker on what it wrote."""

import json

import pytest

from local_support import argus, cluster_document, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


async def test_a_load_is_reported_and_every_request_accounted_for(tmp_path):
    out = tmp_path / "load"
    async with running_cluster(tmp_path, cluster_document("loaded")) as cluster:
        where = ("--endpoint", cluster.router["grpc"])
        load = ("--rate", "2", "--duration", "5s", "--deadline", "60s", "--tenant", "acme")
        said = await argus(tmp_path, "load", *where, *load, "--out", str(out))
    assert "p99 s" in said
    report = json.loads((out / "report.json").read_text())
    assert report["requests"] == report["delivered"] == sum(report["levels"].values())
    assert report["tenants"]["acme"]["requests"] == report["requests"]
    assert (out / "report.png").stat().st_size > 1000
    checked = await argus(tmp_path, "check-load", str(out / "requests.jsonl"))
    assert f"{report['requests']} requests, 0 problems" in checked
