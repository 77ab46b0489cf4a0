"""Pods that the API server will not have: the status says whose, why, and what to do."""

from __future__ import annotations

import pytest

from argus_operator import names, nudges
from argus_operator.kinds import DEPLOYMENT, EVENT, POD, STATEFUL_SET
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, document, office, serving, studio
from cluster.rules import limits, quota
from helpers import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ENFORCED = "pod-security.kubernetes.io/enforce"


def of_host():
    """Workers in the node's own network, which restricted namespaces forbid."""
    pool = document(2)["spec"]["pools"][0]
    return document(2, pools=[{**pool, "podTemplate": {"spec": {"hostNetwork": True}}}])


async def message(cluster, kind):
    (found,) = (c for c in (await cluster.status())["conditions"] if c["type"] == kind)
    return found["message"]


async def refused(cluster, owner, *words):
    await cluster.becomes("Progressing", "False", "PodsRefused")

    async def is_told():
        told = await message(cluster, "Progressing")
        begins = told.startswith(f"{owner} cannot make its pods: ")
        return begins and all(word in told for word in words)

    # The event of a refusal before may be looked at first, until this one's is there.
    await eventually(is_told, PATIENCE, 0.2)


async def mended(cluster, kind):
    """Without the rule; the owners of pods are touched, or they would not try again for long."""
    space = ("-n", cluster.namespace)
    cluster.cluster.kubectl("delete", kind, "rule", *space)
    owners = ("deployments,replicasets,statefulsets", "--all")
    cluster.cluster.kubectl("annotate", "--overwrite", *owners, f"tried={kind}", *space)
    await cluster.becomes("Progressing", "False", "Settled")


async def test_a_refusal_of_pods_is_told_with_what_to_do(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "unmade", tmp_path) as cluster:
        await cluster.apply(quota(pods="0"))
        await cluster.apply(document(1))
        await refused(cluster, "Deployment demo-router", "exceeded quota: rule", "raise the")
        assert await cluster.condition("Ready") == ("False", "NoRouter")
        assert "Progressing says why" in await message(cluster, "Ready")
        await mended(cluster, "resourcequota")
        assert await cluster.condition("Ready") == ("True", "Serving")

        await cluster.apply(quota(pods="2"))
        await cluster.apply(document(2))
        await refused(cluster, "StatefulSet demo-cpu", '"demo-cpu-1"', "exceeded quota: rule")
        assert await cluster.condition("Ready") == ("True", "Serving")
        events = {event["reason"]: event["message"] for event in await cluster.events()}
        assert "exceeded quota" in events["PodsRefused"]
        await mended(cluster, "resourcequota")

        await cluster.apply(limits(cpu="10m"))
        api_server.kubectl("delete", "pod", "demo-cpu-1", "-n", cluster.namespace)
        await refused(cluster, "StatefulSet demo-cpu", "equal to cpu limit of 10m", "LimitRange")
        await mended(cluster, "limitrange")

        api_server.kubectl("label", "namespace", cluster.namespace, f"{ENFORCED}=restricted")
        await cluster.apply(of_host())
        await refused(cluster, "StatefulSet demo-cpu", "violates PodSecurity", f"label {ENFORCED}")
        await serving(cluster)


@pytest.mark.long
async def test_owners_of_refused_pods_are_had_to_try_again(
    api_server: Kubernetes, tmp_path, monkeypatch
):
    monkeypatch.setattr(nudges, "_EVERY", 1.0)
    owners = ((DEPLOYMENT, "demo-router"), (STATEFUL_SET, "demo-cpu"))
    async with studio(api_server, "nudged", tmp_path, begins=False) as cluster:
        await cluster.apply(quota(pods="0"))
        await cluster.apply(document(1))
        async with office(cluster, POD, STATEFUL_SET, DEPLOYMENT):
            for kind, name in owners:
                await eventually(
                    lambda kind=kind, name=name: tried(cluster, kind, name), PATIENCE, 0.2
                )
            api_server.kubectl("delete", "resourcequota", "rule", "-n", cluster.namespace)
            await cluster.becomes("Progressing", "False", "Settled")
            await cluster.becomes("Ready", "True", "Serving")


async def tried(cluster, kind, name):
    """Whether a pod of it was tried after the operator touched it, as its owner's events tell."""
    touched = (await cluster.get(kind, name) or {}).get("metadata", {}).get("annotations", {})
    asked = touched.get(names.TRIED)
    events = [
        event
        for event in await cluster.gateway.list(EVENT, cluster.namespace)
        if event["reason"] == "FailedCreate" and event["involvedObject"]["name"].startswith(name)
    ]
    return asked and any(event["lastTimestamp"] >= asked for event in events)
