"""What the dashboards show of a local cluster, by a real Prometheus that scrapes it."""

from contextlib import suppress
from math import isfinite

import pytest

from argus_control.mode import Mode
from argus_control.planning import Planning
from argus_dashboards.boards import BOARDS
from argus_dashboards.draw import PLANS, where
from dashboards_support import filled, panels, queries
from helpers import eventually
from local_support import cluster_document, drawing, running_cluster
from prometheus_support import prometheus_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
PATIENCE = 120.0
OTHERS = {"operator"}
"""Boards of what runs in Kubernetes only; their metrics' names are checked elsewhere."""


async def test_every_query_has_an_answer_after_a_short_load(tmp_path):
    planning = Planning(mode=Mode.AUTOMATIC, interval=1.0, steady=4.0)
    async with (
        running_cluster(tmp_path, cluster_document("boards"), planning=planning) as cluster,
        prometheus_server(tmp_path, targets=cluster.targets, interval=0.5) as prometheus,
        drawing(cluster.router["grpc"]),
    ):
        waiting = {
            (board.name, panel.title, query.legend): filled(where(query.expr))
            for board in BOARDS
            if board.name not in OTHERS
            for panel in panels(board)
            for query in queries(panel)
            if not query.quiet
        }
        asked = len(waiting)

        async def answered():
            for name, expr in list(waiting.items()):
                if any(isfinite(value) for _, value in await prometheus.query(expr)):
                    del waiting[name]
            return not waiting

        with suppress(AssertionError):
            await eventually(answered, PATIENCE, 1.0)
        assert not waiting
        assert asked > 40
        await prometheus.query(filled(where(PLANS)))
