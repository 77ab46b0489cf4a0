"""An API server that forgets, is away, or puts its askers off."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from argus_control.lines import forever
from argus_operator.gateway import Away, Gateway
from argus_operator.kinds import CLUSTER, CONFIG_MAP, SERVICE, Kind
from argus_operator.metrics import Metrics
from argus_rpc.meanwhile import under_way
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, document, office, studio, watch_of
from cluster.rights import kubeconfig_of
from helpers import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

FLOW = Kind("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "flowschemas")
LEVEL = Kind(FLOW.api_version, "PriorityLevelConfiguration", "prioritylevelconfigurations")


async def test_what_is_deleted_while_nobody_hears_is_made_again_at_once(
    api_server: Kubernetes, tmp_path
):
    """An API server that begins anew knows nothing of what was before, and says 410 Gone."""
    lists = []
    async with studio(api_server, "forgotten", tmp_path, begins=False) as cluster:
        await cluster.apply(document())
        async with office(cluster) as kept:

            def listed(*told):
                lists.append(told)
                kept.listed(*told)

            watch = watch_of(cluster, SERVICE, kept, listed)
            async with under_way(forever("hearing", watch.step)):
                await eventually(lambda: _observed(cluster, "demo"), PATIENCE, 0.2)
                await eventually(lambda: lists, PATIENCE, 0.2)
            await cluster.gateway.delete(SERVICE, "forgotten", "demo-router")
            for step in ("down", "up"):
                await asyncio.to_thread(api_server.script, "api.sh", step)
            async with under_way(forever("hearing", watch.step)):
                await eventually(lambda: cluster.get(SERVICE, "demo-router"), PATIENCE, 0.2)
        assert len(lists) == 2


@pytest.mark.long
async def test_an_outage_is_told_of_once_for_all_clusters(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "outage", tmp_path) as cluster:
        clusters = [f"demo-{number}" for number in range(6)]
        for name in clusters:
            await cluster.apply({**document(1), "metadata": {"name": name}})
        for name in clusters:
            await eventually(lambda name=name: _observed(cluster, name), PATIENCE, 0.2)
        already = len(_log(cluster))
        await asyncio.to_thread(api_server.script, "api.sh", "down")
        try:
            await eventually(lambda: _told(cluster, "does not answer"), PATIENCE, 0.1)
        finally:
            await asyncio.to_thread(api_server.script, "api.sh", "up")
        await eventually(lambda: _told(cluster, "answers again"), PATIENCE, 0.1)
        # Each looks at all again, and none has anything to say.
        for name in clusters:
            cluster.cluster.kubectl("annotate", f"argus/{name}", "look=again", "-n", "outage")
            cluster.cluster.kubectl("delete", f"service/{name}-router", "-n", "outage")
        for name in clusters:
            router = f"{name}-router"
            await eventually(lambda name=router: cluster.get(SERVICE, name), PATIENCE, 0.2)
        since = _log(cluster)[already:]
        assert len(_told(cluster, "does not answer")) == 1, since
        assert len(_told(cluster, "answers again")) == 1
        assert "6 clusters wait for it" in _told(cluster, "does not answer")[0]
        assert not [line for line in since if "outage/demo-" in line], since
        assert cluster.operator.ended is None


@pytest.mark.long
async def test_who_is_put_off_asks_again_when_told_to(api_server: Kubernetes, tmp_path):
    """A crowd for whom there is room for one at a time, and who are not let wait in a queue."""
    async with studio(api_server, "putoff", tmp_path, begins=False) as cluster:
        api_server.kubectl("create", "serviceaccount", "eager", "-n", "putoff")
        everything = ("--clusterrole=cluster-admin", "--serviceaccount=putoff:eager")
        api_server.kubectl("create", "rolebinding", "eager", *everything, "-n", "putoff")
        config = kubeconfig_of(api_server, "putoff", "eager", tmp_path / "eager.kubeconfig")
        metrics = Metrics()
        async with await Gateway.connect(str(config)) as gateway, _little_room(cluster):
            gateway.throttled = metrics.throttled

            async def all_answered_in_the_end():
                asking = [gateway.list(CONFIG_MAP, "putoff") for _ in range(30)]
                answers = await asyncio.gather(*asking, return_exceptions=True)
                labels, name = {"kind": "ConfigMap"}, "argus_operator_api_throttled_total"
                put_off = metrics.registry.get_sample_value(name, labels) or 0
                for error in answers:
                    if isinstance(error, Exception):
                        assert isinstance(error, Away)
                        assert error.after >= 1
                return put_off and all(isinstance(answer, list) for answer in answers)

            await eventually(all_answered_in_the_end, PATIENCE, 0.1)


@asynccontextmanager
async def _little_room(cluster):
    """While a block runs there is room for what `eager` asks, but for one at a time."""
    none = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    limited = {**none, "limitResponse": {"type": "Reject"}}
    await cluster.gateway.create(
        LEVEL,
        None,
        {
            "apiVersion": LEVEL.api_version,
            "kind": LEVEL.name,
            "metadata": {"name": "no-room"},
            "spec": {"type": "Limited", "limited": limited},
        },
    )
    all_there_is = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    account = {"name": "eager", "namespace": cluster.namespace}
    subjects = [{"kind": "ServiceAccount", "serviceAccount": account}]
    flow = {
        "apiVersion": FLOW.api_version,
        "kind": FLOW.name,
        "metadata": {"name": "no-room"},
        "spec": {
            "priorityLevelConfiguration": {"name": "no-room"},
            "matchingPrecedence": 10,
            "rules": [{"subjects": subjects, "resourceRules": [all_there_is]}],
        },
    }

    await cluster.gateway.create(FLOW, None, flow)
    try:
        yield
    finally:
        await cluster.gateway.delete(FLOW, None, "no-room")
        await cluster.gateway.delete(LEVEL, None, "no-room")


async def _observed(cluster, name):
    found = await cluster.get(CLUSTER, name)
    return (found or {}).get("status", {}).get("observedGeneration")


def _log(cluster):
    return cluster.operator.log.read_text().splitlines()


def _told(cluster, words):
    return [line for line in _log(cluster) if words in line and "argus_operator.outage" in line]
