"""The operator's rights: all that it was granted it uses, and nothing else is ever asked for."""

import json

import pytest

from cluster.charts import MATRIX, render
from cluster.installed import SYSTEM
from cluster.kubernetes import CommandFailed, Kubernetes
from cluster.rights import granted, used
from cluster.studio import PATIENCE, document, studio
from helpers import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
POD_MONITOR = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def pool(name, **more):
    return {**document("any")["spec"]["pools"][0], "name": name, "workers": 1, **more}


async def test_the_operator_needs_every_right_that_the_chart_grants(
    installed: Kubernetes, tmp_path
):
    """A cluster with all that there can be is made, rolled, made smaller, and loses its monitor."""
    audit = installed.state / "log" / "audit.log"
    before_us = audit.stat().st_size
    # What it asks for when it starts counts too.
    for verb in ("restart", "status"):
        installed.kubectl("rollout", verb, "deployment/argus-operator", "-n", SYSTEM)
    installed.apply(POD_MONITOR)
    installed.wait_for_kind(POD_MONITOR["metadata"]["name"])
    monitored = {"observability": {"podMonitor": True}}
    with studio(installed, "rights", pools=[pool("one"), pool("two")], **monitored) as cluster:
        await cluster.becomes("Ready", "True")
        before = {pod["metadata"]["uid"] for pod in cluster.pods()}
        cluster.apply(document("rights", pools=[pool("one", threads=2)]))
        await eventually(
            lambda: len(cluster.pods()) == 1 and cluster.pods()[0]["metadata"]["uid"] not in before,
            timeout=PATIENCE,
            interval=0.5,
        )
        await cluster.becomes("Ready", "True")
        asked = used(audit, f"{SYSTEM}:argus-operator", since=before_us)
    rules = [
        rule
        for made in render("argus", MATRIX["defaults"], tmp_path)
        for rule in made.get("rules", [])
    ]
    may = granted(rules)
    assert not {right for right, forbidden in asked.items() if forbidden}
    assert not asked.keys() - may
    # The log tells of an apply that makes something as of any other, by "patch".
    unused = may - asked.keys()
    assert {right for right in unused if right[2] != "create"} == set()


def test_an_apply_makes_nothing_without_the_right_to_create(api_server: Kubernetes):
    """Why the chart grants "create" beside "patch", though the log never tells of it."""
    with api_server.namespace("rights") as namespace:
        space = ("-n", namespace)
        account = f"{namespace}:default"
        api_server.kubectl(
            "create", "role", "r", "--verb=patch,get", "--resource=configmaps", *space
        )
        api_server.kubectl(
            "create", "rolebinding", "r", "--role=r", f"--serviceaccount={account}", *space
        )
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}
        as_account = ("--server-side", f"--as=system:serviceaccount:{account}")
        with pytest.raises(CommandFailed, match='cannot create resource "configmaps"'):
            api_server.kubectl("apply", *as_account, *space, "-f", "-", stdin=json.dumps(made))
