"""Faults under load, one at a time: serving goes on, the state is told, and recovery is by itself.

Clients ask again as the project's client does, so a prompt is lost only where none of its tries
within its deadline was answered.
"""

import pytest

from cluster.kubernetes import Kubernetes
from cluster.studio import PATIENCE, WORKERS, Budget, Studio, document, served, studio
from helpers import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
RATE = 0.8
"""Prompts a second: what two of three workers can carry at the dearest level."""
AWAY = 60.0
"""Seconds that operator and API server are away."""
SILENT = "trap 'exit 0' TERM; while :; do sleep 1; done"
"""What a worker does that runs and never listens."""


async def whole(cluster: Studio) -> None:
    """Wait until all workers serve and nothing is under way."""
    await cluster.becomes("Ready", "True")
    await cluster.becomes("Progressing", "False", "Settled")
    await eventually(lambda: ready(cluster) == WORKERS, timeout=PATIENCE, interval=0.5)


def ready(cluster: Studio) -> int:
    """Workers that serve, as the status has it."""
    return sum(pool.get("ready", 0) for pool in cluster.status().get("pools", []))


def restarts(cluster: Studio) -> int:
    """Containers of workers that were started anew."""
    statuses = [s for p in cluster.pods() for s in p["status"].get("containerStatuses", [])]
    return sum(status["restartCount"] for status in statuses)


async def test_serving_survives_what_befalls_its_parts(installed: Kubernetes):
    operator = ("deployment/argus-operator", "-n", "argus-system")
    with (
        studio(installed, "faults") as cluster,
        Budget(cluster=installed, namespace=cluster.namespace) as budget,
    ):
        await whole(cluster)
        space = ("-n", cluster.namespace)

        # A worker's pod is deleted.
        first = cluster.pods()[0]["metadata"]
        with cluster.load(rate=RATE, seconds=20.0) as traffic:
            installed.kubectl("delete", "pod", first["name"], *space)
            served(traffic)
        await whole(cluster)
        assert first["uid"] not in {pod["metadata"]["uid"] for pod in cluster.pods()}

        # A worker's process dies.
        with cluster.load(rate=RATE, seconds=20.0) as traffic:
            task = cluster.pods()[0]["status"]["containerStatuses"][0]["containerID"]
            end = ("ctr", "-n", "k8s.io", "task", "kill", "-s", "SIGKILL")
            installed.script("in.sh", *end, task.removeprefix("containerd://"))
            served(traffic)
        await whole(cluster)
        assert restarts(cluster) == 1

        # The operator is away.
        installed.kubectl("scale", *operator, "--replicas=0")
        with cluster.load(rate=RATE, seconds=AWAY) as traffic:
            served(traffic)
        installed.kubectl("scale", *operator, "--replicas=1")
        await whole(cluster)

        # The API server is away.
        installed.script("api.sh", "down")
        with cluster.load(rate=RATE, seconds=AWAY) as traffic:
            served(traffic)
        installed.script("api.sh", "up")
        await whole(cluster)

        # The router is rolled.
        with cluster.load(rate=RATE, seconds=20.0) as traffic:
            installed.kubectl("rollout", "restart", "deployment/faults-router", *space)
            served(traffic)
        await whole(cluster)
    assert max(budget.samples) == WORKERS


async def test_what_keeps_a_worker_away_is_told_and_the_others_serve(installed: Kubernetes):
    with (
        studio(installed, "away") as cluster,
        Budget(cluster=installed, namespace=cluster.namespace) as budget,
    ):
        await whole(cluster)

        # The node loses GPUs: a pod that is made anew finds none.
        installed.script("gpus.sh", "2")
        try:
            victim = cluster.pods()[0]["metadata"]["name"]
            installed.kubectl("delete", "pod", victim, "-n", cluster.namespace)
            await cluster.becomes("Progressing", "False", "Unschedulable")
            with cluster.load(rate=RATE, seconds=10.0) as traffic:
                served(traffic)
            assert cluster.condition("Ready") == ("True", "Serving")
        finally:
            installed.script("gpus.sh", "4")
        await whole(cluster)

        # A new image cannot be pulled: one worker waits for it, the others are left alone.
        cluster.apply(with_worker(image="argus/worker:there-is-none"))
        await cluster.becomes("Progressing", "False", "ImageUnavailable")
        with cluster.load(rate=RATE, seconds=10.0) as traffic:
            served(traffic)
        assert ready(cluster) == WORKERS - 1
        cluster.apply(document("away"))
        await whole(cluster)

        # A new worker never becomes ready: the others are left alone here, too.
        cluster.apply(with_worker(command=["sh", "-c", SILENT]))
        await eventually(lambda: runs_silently(cluster), timeout=PATIENCE, interval=0.5)
        with cluster.load(rate=RATE, seconds=10.0) as traffic:
            served(traffic)
        assert cluster.condition("Progressing") == ("True", "Rolling")
        assert ready(cluster) == WORKERS - 1
        cluster.apply(document("away"))
        await whole(cluster)
    assert max(budget.samples) == WORKERS


def with_worker(**container):
    """The cluster's document with a worker that is overridden."""
    made = document("away")
    made["spec"]["pools"][0]["podTemplate"]["spec"]["containers"][0] |= container
    return made


def runs_silently(cluster):
    """Whether a worker runs that never listens."""
    return any(
        pod["status"].get("phase") == "Running" and "command" in pod["spec"]["containers"][0]
        for pod in cluster.pods()
    )
