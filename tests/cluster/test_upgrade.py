"""Upgrades under load: from the version before, of a cluster's model, to the next version and back.

The version before is its charts (see `previous/`) with the images of its own code. A clone without
history has today's under the old tag in their place, and today's resource with them. The version
after is today's under another tag, and a resource that has a field more.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster.charts import BEFORE, PREVIOUS
from cluster.installed import CHARTS, SYSTEM, asked_for, charts, load_images, put
from cluster.kubernetes import ROOT, Kubernetes
from cluster.studio import PATIENCE, WORKERS, Budget, Studio, document, served, studio
from helpers import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
COMMIT = "76b0f4010717474016bc43cd7931827018b24b4c"
IMAGES = ("operator", "router", "predictor", "worker")
"""Of the versions before and after."""
AFTER = "after"
SLO = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/slo/properties"
KINDS = "all,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets"


async def test_an_upgrade_costs_neither_a_prompt_nor_a_gpu_more(
    loaded: Kubernetes, tmp_path, record_property
):
    asked_for()
    source = code_before(tmp_path)
    record_property("images_of_the_version_before", COMMIT if source != ROOT else "today's code")
    load_images(loaded, IMAGES, source=source, tag=BEFORE)
    first = PREVIOUS if source != ROOT else {**PREVIOUS, "argus-crds": CHARTS["argus-crds"]}
    with (
        charts(loaded, first),
        studio(loaded, "upgrade") as cluster,
        Budget(cluster=loaded, namespace=cluster.namespace) as budget,
    ):
        await cluster.becomes("Progressing", "False", "Settled")
        assert images(cluster) == {f"argus/worker:{BEFORE}"}
        assert takes_loras(loaded) == (source == ROOT)
        with cluster.load(rate=0.8, seconds=2000.0) as traffic:
            for name, chart in CHARTS.items():
                put(loaded, name, chart)
            await replaced(cluster, {f"argus/worker:{BEFORE}"}, images)
            assert takes_loras(loaded)

            old = uids(cluster)
            cluster.apply(document("upgrade", variants=variants("builtin:shapes-small")))
            await replaced(cluster, old, uids)
            history = loaded.get("configmap", "upgrade-plans", "-n", cluster.namespace)
            assert history["data"]

            with newer_resource(loaded):
                (today,) = images(cluster)
                tag(loaded, today.rpartition(":")[2], AFTER)
                after = {f"argus/worker:{AFTER}"}
                put(loaded, "argus", CHARTS["argus"], "--set", f"images.tag={AFTER}")
                # Back before it is through: of the workers some are new.
                await eventually(lambda: after & images(cluster), PATIENCE, 0.5)
                back = ("argus", "--namespace", SYSTEM, "--wait", "--timeout", "3m")
                loaded.run("helm", "rollback", *back, timeout=200)
                await replaced(cluster, after, images)
                assert images(cluster) == {today}
                assert cluster.seen()["spec"]["slo"]["newer"]
            traffic.end()
            record_property("prompts", len(served(traffic)))
        operators = loaded.get("pods", "-n", SYSTEM)["items"]
        assert len(operators) == 1
    assert max(budget.samples) == WORKERS

    def left():
        found = loaded.get(KINDS, "-n", cluster.namespace, "-l", cluster.selector)
        return [each["metadata"]["name"] for each in found["items"]]

    await eventually(lambda: not left(), timeout=PATIENCE, interval=0.5)


async def replaced(cluster: Studio, old, what) -> None:
    """Wait until no pod has anything of the old, and all is settled."""
    await eventually(
        lambda: len(cluster.pods()) == WORKERS and not old & what(cluster),
        timeout=WORKERS * PATIENCE,
        interval=0.5,
    )
    await cluster.becomes("Progressing", "False", "Settled")


def images(cluster: Studio) -> set[str]:
    """Of the workers' containers."""
    return {container["image"] for pod in cluster.pods() for container in pod["spec"]["containers"]}


def uids(cluster: Studio) -> set[str]:
    """Of the workers' pods."""
    return {pod["metadata"]["uid"] for pod in cluster.pods()}


def variants(model):
    """The document's own, of another model."""
    return [{**each, "model": model} for each in document("any")["spec"]["variants"]]


def tag(cluster: Kubernetes, known: str, new: str) -> None:
    """Give the images of a tag another one."""
    for name in IMAGES:
        both = [f"docker.io/argus/{name}:{each}" for each in (known, new)]
        cluster.script("in.sh", *("ctr", "-n", "k8s.io", "images", "tag", "--force", *both))


@contextmanager
def newer_resource(cluster: Kubernetes) -> Iterator[None]:
    """Every document says something, by default, that today's operator does not know."""

    def patch(**step: object) -> None:
        patched = json.dumps([{"path": f"{SLO}/newer", **step}])
        cluster.kubectl("patch", "crd/argusclusters.argus.dev", "--type=json", "-p", patched)

    patch(op="add", value={"type": "string", "default": "said by the API server"})
    try:
        yield
    finally:
        patch(op="remove")


def takes_loras(cluster: Kubernetes) -> bool:
    """Whether the resource has a field that the version before had not."""
    (version,) = cluster.get("crd", "argusclusters.argus.dev")["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return "loras" in spec["variants"]["items"]["properties"]


def code_before(folder):
    """The version before's tree; today's where this clone has no such commit."""
    archive = folder / "before.tar"
    made = subprocess.run(
        ["git", "archive", f"--output={archive}", COMMIT], cwd=ROOT, check=False, timeout=60
    )
    if made.returncode:
        return ROOT
    source = folder / "before"
    source.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", source], check=True, timeout=60)
    return source
