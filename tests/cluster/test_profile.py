"""Levels have the figures of a profile that lies in a ConfigMap."""

from __future__ import annotations

import json

import pytest
import yaml

from argus_operator.kinds import CLUSTER, CONFIG_MAP
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, Operator, document, studio
from helpers import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

LADDER = [
    {"name": "slow", "variant": "large", "steps": 8},
    {"name": "fast", "variant": "tiny", "steps": 4},
]
MEASURED = {"slow": 0.25, "fast": 0.25}


def profile():
    timing = {"seconds": 0.25, "deviation": 0, "samples": 3}
    timings = {level["name"]: {"48x48": {"1": timing}} for level in LADDER}
    scores = {"slow": [1.0], "fast": [0.5]}
    return {
        "kind": "ArgusProfile",
        "version": 1,
        "ladder": LADDER,
        "devices": {"cpu": {"device": "cpu", "timings": timings}},
        "quality": {
            "metric": "shapes",
            "comparison": "difference",
            "best": "slow",
            "prompts": [{"prompt": "a red circle", "scores": scores}],
        },
    }


def config_map(text):
    meta = {"name": "measured"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"p.json": text}}


async def test_a_ladder_is_left_out_measured_and_kept_when_the_profile_is_spoilt(
    api_server: Kubernetes, tmp_path
):
    async with studio(api_server, "profiled", tmp_path) as cluster:
        said = document(1, ladder=[])
        await cluster.apply(said)
        await cluster.becomes("Ready", "True", "Serving")
        await cluster.becomes("ProfileCurrent", "Unknown", "Guessed")
        assert await levels(cluster, "large-24")

        said["spec"]["profile"] = {"configMapName": "measured", "key": "p.json"}
        await cluster.apply(said)
        await cluster.becomes("ProfileCurrent", "False", "ProfileMissing")

        await cluster.apply(config_map(json.dumps(profile())))
        await look_again(cluster)
        await cluster.becomes("ProfileCurrent", "True", "ProfileApplied")
        assert await levels(cluster, "slow") == MEASURED

        await cluster.apply(config_map("{}"))
        await look_again(cluster)
        await cluster.becomes("ProfileCurrent", "False", "ProfileRefused")
        assert await levels(cluster, "slow") == MEASURED
        # Not even a new operator, which has never seen a good one, goes back to guesses.
        await cluster.operator.stop()
        cluster.operator = Operator(api_server, "profiled", tmp_path, "b")
        await cluster.operator.start()
        await cluster.apply({**said, "spec": {**said["spec"], "slo": {"deadlineSeconds": 21}}})
        await eventually(lambda: observed(cluster), PATIENCE, 0.2)
        assert await cluster.condition("ProfileCurrent") == ("False", "ProfileRefused")
        assert await levels(cluster, "slow") == MEASURED


async def levels(cluster, first):
    """What services are told that levels take, by name, once the first is this one."""

    async def told():
        found = await cluster.get(CONFIG_MAP, "demo")
        ladder = yaml.safe_load(found["data"]["cluster.yaml"])["spec"]["ladder"]
        if ladder[0]["name"] == first:
            return {level["name"]: level["seconds"]["cpu"] for level in ladder}
        return None

    return await eventually(told, PATIENCE, 0.2)


async def observed(cluster):
    """Whether the operator has told of the newest document."""
    found = await cluster.get(CLUSTER, "demo")
    return found["status"]["observedGeneration"] == found["metadata"]["generation"]


async def look_again(cluster):
    """A ConfigMap of the user's wakes nobody; whatever happens to the cluster does."""
    for value in ("again", None):
        note = {"metadata": {"annotations": {"look": value}}}
        await cluster.gateway.merge(CLUSTER, cluster.namespace, "demo", note)
