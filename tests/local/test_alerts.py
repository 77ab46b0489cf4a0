"""A real Prometheus over a local cluster: the right alert fires, and only it, or none at all."""

import pytest

from alerts.naming import of_the_rules
from argus_alerts.rule import Pace
from argus_cli.local.cluster import PREDICTOR
from argus_control.mode import Mode
from argus_control.planning import Planning
from local_support import cluster_document, running_cluster
from prometheus_support import tool
from support.alarms import asked, hung, pid, watched

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(500)]
PACE = Pace(scale=1 / 60, shortest=4.0)
"""An hour is a minute."""
PROMPTS = ["a large red circle", "two blue squares"]
NOT_HERE = {
    *("argus_operator_gpus", "argus_operator_leader"),
    *("argus_worker_store_up", "argus_predictor_store_up"),
    *("argus_predictor_quality_error", "argus_predictor_quality_drifted"),
}
"""Of an operator, of a latent store, and of images that were judged."""


async def test_hung_predictor_is_told_of_alone_and_quiet_times_are_silent(tmp_path):
    tool("prometheus")
    planning = Planning(mode=Mode.AUTOMATIC, interval=1.0)
    async with (
        running_cluster(tmp_path, cluster_document("watched"), planning=planning) as cluster,
        watched(tmp_path, cluster, pace=PACE, interval=0.5) as watch,
        asked(cluster.router["grpc"], rate=4, prompts=PROMPTS, deadline=30.0) as ended,
    ):
        await watch.silence(8)
        assert set(ended) == {"drawn"}
        with hung(pid(cluster, PREDICTOR)):
            _, description = await watch.only("ArgusPredictorFallback", within=60)
        assert description.startswith("Cluster local/watched takes ")
        assert description.endswith("% of its prompts for average ones.")
        await watch.over("ArgusPredictorFallback", within=60)
        await watch.silence(5)
        assert of_the_rules() - await watch.prometheus.names() == NOT_HERE
        assert set(ended) == {"drawn"}
