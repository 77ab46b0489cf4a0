"""Upgrades under load: the chart, and a cluster's model. Deletion leaves nothing behind."""

import pytest

from cluster.installed import SYSTEM
from cluster.kubernetes import ROOT, Kubernetes
from cluster.studio import PATIENCE, WORKERS, Budget, document, served, studio
from helpers import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


async def test_neither_chart_nor_model_costs_a_prompt_or_a_gpu_more(installed: Kubernetes):
    with (
        studio(installed, "upgrade") as cluster,
        Budget(cluster=installed, namespace=cluster.namespace) as budget,
    ):
        await cluster.becomes("Progressing", "False", "Settled")
        old = {pod["metadata"]["uid"] for pod in cluster.pods()}
        chart = ("argus", str(ROOT / "charts" / "argus"), "--namespace", SYSTEM, "--reuse-values")
        again = ("--set", "operator.podAnnotations.upgraded=yes", "--wait", "--timeout", "3m")
        with cluster.load(rate=0.8, seconds=60.0) as traffic:
            installed.run("helm", "upgrade", *chart, *again, timeout=200)
            cluster.apply(document("upgrade", variants=variants("builtin:shapes-small")))
            served(traffic)
        await eventually(
            lambda: not old & {pod["metadata"]["uid"] for pod in cluster.pods()},
            timeout=PATIENCE,
            interval=0.5,
        )
        await cluster.becomes("Progressing", "False", "Settled")
    assert max(budget.samples) == WORKERS
    kinds = "all,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets"

    def left():
        found = installed.get(kinds, "-n", cluster.namespace, "-l", cluster.selector)
        return [each["metadata"]["name"] for each in found["items"]]

    await eventually(lambda: not left(), timeout=PATIENCE, interval=0.5)


def variants(model):
    """The document's own, of another model."""
    return [{**each, "model": model} for each in document("any")["spec"]["variants"]]
