"""What a real Prometheus hears of an operator at work: its dashboard, and an alert of its own."""

import json
import os
import re
import time
from math import isfinite
from pathlib import Path

import pytest

from argus_alerts import groups
from argus_alerts.rule import Pace
from argus_dashboards.draw import text, where
from argus_dashboards.parts import OPERATOR
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, document, flooded, serving, studio
from dashboards_support import filled, panels, queries
from helpers import eventually
from prometheus_support import prometheus_server
from support.boards import Shown, asked
from support.panels import draw

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(300)]
PACE = Pace(scale=1 / 60, shortest=4.0)
"""Ten minutes are ten seconds."""
INTERVAL = 1.0
"""Seconds between scrapes, and for one: less is too little on a busy machine."""


def hold(cluster, pod, *finalizers):
    """A pod ends only once nothing holds it any more: as on a node that does not answer."""
    patch = json.dumps({"metadata": {"finalizers": finalizers}})
    cluster.cluster.kubectl("patch", "pod", pod, "-n", "watched", "--type=merge", "-p", patch)


async def test_the_operators_dashboard_is_answered_and_a_pod_that_does_not_end_is_told_of(
    api_server: Kubernetes, tmp_path
):
    rules = tmp_path / "alerts.yaml"
    rules.write_text(groups.text(PACE))
    async with studio(api_server, "watched", tmp_path) as cluster:
        targets = [{"targets": [f"127.0.0.1:{cluster.operator.metrics}"]}]
        async with prometheus_server(
            tmp_path, targets=targets, rules=[rules], interval=INTERVAL
        ) as prometheus:
            await serving(cluster, workers=3)
            began = time.time()
            waiting = {
                query.expr: filled(where(query.expr))
                for panel in panels(OPERATOR)
                for query in queries(panel)
                if not query.quiet
            }

            async def answered():
                for name, expr in list(waiting.items()):
                    if any(isfinite(value) for _, value in await prometheus.query(expr)):
                        del waiting[name]
                return not waiting

            async with flooded(cluster):
                await eventually(answered, PATIENCE, 0.5)

            async def told():
                found = {a["labels"]["alertname"]: a for a in await prometheus.alerts()}
                return found.get("ArgusGPUBudgetExceeded")

            async def silent():
                return not await told()

            assert await silent()
            hold(cluster, "demo-cpu-2", "argus.dev/test")
            await cluster.apply(document(2))
            alert = await eventually(told, PATIENCE, 0.5)
            assert re.search(r"1 pods too many in pool cpu", alert["annotations"]["description"])
            hold(cluster, "demo-cpu-2")
            await eventually(silent, PATIENCE, 0.5)
            if folder := os.environ.get("ARGUS_PICTURES"):
                shown = Shown(since=began, until=time.time(), interval=INTERVAL)
                page = await asked(json.loads(text(OPERATOR)), prometheus, shown)
                draw(page, Path(folder, "operator.png"))
