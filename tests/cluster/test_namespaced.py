"""An install for one namespace keeps that one's clusters, with no right beyond it."""

import pytest

from cluster.installed import CHARTS, SYSTEM, asked_for, charts
from cluster.kubernetes import Kubernetes
from cluster.rights import used
from cluster.studio import document, served, studio

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


async def test_one_namespace_is_kept_and_nothing_else_is_asked_for(loaded: Kubernetes):
    asked_for()
    audit = loaded.state / "log" / "audit.log"
    before_us = audit.stat().st_size
    with (
        loaded.namespace("kept"),
        loaded.namespace("passed-by"),
        charts(loaded, CHARTS, "--set", "watchNamespaces={kept}"),
    ):
        loaded.apply(document("other"), namespace="passed-by")
        with studio(loaded, "kept") as cluster:
            await cluster.becomes("Progressing", "False", "Settled")
            with cluster.load(rate=0.8, seconds=5.0) as traffic:
                served(traffic)
        assert "status" not in loaded.get("argus", "other", "-n", "passed-by")
        roles = loaded.get("clusterroles", "-l", "app.kubernetes.io/name=argus-operator")
        assert not roles["items"]
        asked = used(audit, f"{SYSTEM}:argus-operator", since=before_us)
    assert asked
    assert not {right for right, forbidden in asked.items() if forbidden}
