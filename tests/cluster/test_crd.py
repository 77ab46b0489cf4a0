"""The API server judges the corpus of documents, and serves the custom resource."""

from __future__ import annotations

import json

import pytest
import yaml

from cluster.charts import PREVIOUS, render
from cluster.kubernetes import ROOT, CommandFailed, Kubernetes
from corpus_support import CORPUS, invalid, valid

pytestmark = pytest.mark.cluster

CRD = ROOT / "manifests" / "crds" / "argusclusters.argus.dev.yaml"
VALID = valid()
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Serving",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def resource(api_server: Kubernetes) -> Kubernetes:
    """An API server that knows ArgusClusters."""
    api_server.kubectl("apply", "--server-side", "-f", str(CRD))
    api_server.wait_for_kind("argusclusters.argus.dev")
    return api_server


@pytest.mark.parametrize("name", VALID)
def test_valid_documents_are_taken(resource, name):
    path = str(CORPUS / "valid" / f"{name}.yaml")
    resource.kubectl("create", "--dry-run=server", "-f", path)


@pytest.mark.parametrize("refused", invalid(), ids=lambda refused: refused.name)
def test_invalid_documents_are_refused_by_field_and_rule(resource, refused):
    path = str(CORPUS / "invalid" / f"{refused.name}.yaml")
    with pytest.raises(CommandFailed) as caught:
        resource.kubectl("create", "--dry-run=server", "-f", path)
    assert refused.api.field in caught.value.output
    assert refused.api.says in caught.value.output


def test_samples_are_taken(resource):
    for path in (ROOT / "manifests" / "samples").glob("*.yaml"):
        resource.kubectl("create", "--dry-run=server", "-f", str(path))


def test_defaults_are_filled_in(resource):
    with resource.namespace("defaults") as namespace:
        resource.apply(VALID["shortest"], namespace=namespace)
        spec = resource.get("argus", "demo", "-n", namespace)["spec"]
        assert spec["slo"]["deadlineSeconds"] == 30
        assert spec["planning"]["mode"] == "automatic"
        assert spec["variants"][0]["minimumWorkers"] == 1


def test_clusters_of_the_version_before_outlive_both_ways_of_the_resource(resource, tmp_path):
    """Upgraded and taken back: spec and status stay, and what is new has its default."""
    before = tmp_path / "before.yaml"
    (crd,) = render(str(PREVIOUS["argus-crds"]), {}, tmp_path)
    before.write_text(yaml.safe_dump(crd))
    status = {"status": {"conditions": [READY], "workers": 2}}

    def put(path):
        resource.kubectl("apply", "--server-side", "-f", str(path))

    def seen():
        found = resource.get("argus", "demo", "-n", namespace)
        assert found["status"] == status["status"]
        return found["spec"]

    try:
        put(before)
        with resource.namespace("before") as namespace:
            resource.apply(VALID["shortest"], namespace=namespace)
            how = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
            resource.kubectl("patch", "argus/demo", "-n", namespace, *how)
            old = seen()
            put(CRD)
            new = seen()
            assert new["slo"].pop("qualityTarget") == 0.9
            resource.apply(VALID["shortest"], namespace=namespace)
            put(before)
            assert seen() == old
    finally:
        put(CRD)


def test_the_only_pool_can_be_scaled(resource):
    with resource.namespace("scale") as namespace:
        resource.apply(VALID["workers-of-the-only-pool"], namespace=namespace)
        resource.kubectl("scale", "argus/demo", "--replicas=7", "-n", namespace)
        assert resource.get("argus", "demo", "-n", namespace)["spec"]["workers"] == 7


def test_pools_are_changed_by_name(resource):
    with resource.namespace("merge") as namespace:
        resource.apply(VALID["several-pools"], namespace=namespace)
        mine = {
            "apiVersion": "argus.dev/v1alpha1",
            "kind": "ArgusCluster",
            "metadata": {"name": "demo"},
            "spec": {"pools": [{"name": "slow", "workers": 9}]},
        }
        resource.kubectl(
            *("apply", "--server-side", "--force-conflicts", "--field-manager=other"),
            *("-n", namespace, "-f", "-"),
            stdin=json.dumps(mine),
        )
        pools = resource.get("argus", "demo", "-n", namespace)["spec"]["pools"]
        assert [(pool["name"], pool["workers"]) for pool in pools] == [("fast", 2), ("slow", 9)]
