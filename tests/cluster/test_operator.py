"""The operator over a real API server; pods are real routers, and workers that obey."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from argus_client import AsyncClient
from argus_control.archive import unpack
from argus_operator.kinds import (
    CLUSTER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    LEASE,
    NETWORK_POLICY,
    OWNED,
    SERVICE,
    STATEFUL_SET,
)
from argus_rpc.meanwhile import under_way
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, Operator, document, flooded, serving, studio
from helpers import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


async def test_a_document_becomes_objects_workers_and_a_status(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "becomes", tmp_path) as cluster:
        await serving(cluster)
        await cluster.becomes("WithinBudget", "True", "Within")
        await cluster.becomes("PlanCurrent", "Unknown", "NoLoadYet")
        await eventually(lambda: _is(_labels(cluster), ["large", "tiny"]), PATIENCE, 0.2)
        await eventually(lambda: _is(_summary(cluster), "2/2"), PATIENCE, 0.2)
        status = await cluster.status()
        assert status["observedGeneration"] == 1
        assert status["endpoints"]["grpc"] == "demo-router.becomes.svc:8000"
        assert {v["name"]: (v["wanted"], v["ready"]) for v in status["variants"]} == {
            "large": (1, 1),
            "tiny": (1, 1),
        }
        for kind in (STATEFUL_SET, DEPLOYMENT, SERVICE, CONFIG_MAP, DISRUPTION_BUDGET):
            assert await cluster.gateway.list(kind, "becomes", selector="argus.dev/cluster=demo")
        assert len(await cluster.gateway.list(NETWORK_POLICY, "becomes")) == 3
        found = await cluster.get(CLUSTER, "demo")
        assert "finalizers" not in found["metadata"]


async def _history(cluster):
    """What the router knows of plans."""
    (name,) = cluster.kubelet.routers
    async with AsyncClient(f"{cluster.kubelet.addresses[name]}:8000") as client:
        return await client.plans()


async def test_workers_follow_the_plan_within_the_budget(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "moves", tmp_path) as cluster:
        await serving(cluster, workers=3)
        before = await cluster.status()
        async with flooded(cluster):
            await cluster.becomes("PlanCurrent", "True", "Followed")
            await eventually(lambda: _is(_labels(cluster), ["tiny"] * 3), PATIENCE, 0.2)
            status = await cluster.status()
        assert status["plan"]["id"] > before["plan"]["id"]
        assert status["plan"]["reason"]
        assert status["plan"]["alternatives"]
        assert status["plan"]["forecastRate"] > 0
        # Without load the best model comes back.
        await eventually(lambda: _is(_large(cluster), True), PATIENCE, 0.2)
        assert cluster.kubelet.most["cpu"] == 3

        async def told():
            events = await cluster.events()
            return events if {"Planned", "Switched"} <= {e["reason"] for e in events} else None

        events = await eventually(told, PATIENCE, 0.2)
        planned = {event["message"] for event in events if event["reason"] == "Planned"}

        async def known():
            """Of the routers, which are told of a plan as the events are, and beside them."""
            records = await _history(cluster)
            return records if planned <= {record.plan.reason for record in records} else None

        records = await eventually(known, PATIENCE, 0.2)
        assert any(record.moves for record in records if record.plan.reason in planned)
        assert status["plan"]["id"] in {record.plan.id for record in records}
        kept = await eventually(lambda: cluster.get(CONFIG_MAP, "demo-plans"), PATIENCE, 0.2)
        assert unpack(kept["data"]["plans.jsonl"])


async def test_drift_is_undone_and_what_others_own_is_kept(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "drift", tmp_path) as cluster:
        await serving(cluster)
        cluster.cluster.kubectl("scale", "sts/demo-cpu", "--replicas=1", "-n", "drift")
        cluster.cluster.kubectl("annotate", "sts/demo-cpu", "mine=kept", "-n", "drift")
        cluster.cluster.kubectl("delete", "service", "demo-router", "-n", "drift")

        async def mended():
            sets = await cluster.get(STATEFUL_SET, "demo-cpu")
            service = await cluster.get(SERVICE, "demo-router")
            return sets["spec"]["replicas"] == 2 and service is not None and sets

        found = await eventually(mended, PATIENCE, 0.2)
        assert found["metadata"]["annotations"]["mine"] == "kept"


async def test_who_undoes_the_operators_writes_is_named_and_answered_seldom(
    api_server: Kubernetes, tmp_path
):
    async with studio(api_server, "contested", tmp_path) as cluster:
        await serving(cluster)
        undone = 0

        async def undo():
            nonlocal undone
            while True:
                found = await cluster.get(DISRUPTION_BUDGET, "demo-cpu")
                if found["spec"]["maxUnavailable"] != 2:
                    spec = {"spec": {"maxUnavailable": 2}}
                    await cluster.gateway.merge(DISRUPTION_BUDGET, "contested", "demo-cpu", spec)
                    undone += 1
                await asyncio.sleep(0.05)  # between two looks of somebody else's

        async def told():
            return [e for e in await cluster.events() if e["reason"] == "Contested"]

        async with under_way(undo()):
            (event, *_) = await eventually(told, PATIENCE, 0.2)
        told = "PodDisruptionBudget demo-cpu does not stay as it was written"
        assert event["message"].startswith(told)
        assert event["type"] == "Warning"
        assert undone <= 8


async def test_a_smaller_budget_is_obeyed_and_told(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "scale", tmp_path) as cluster:
        made = document(pools=[{"name": "cpu"}])
        made["spec"]["workers"] = 3
        await cluster.apply(made)
        await cluster.becomes("Ready", "True")
        cluster.cluster.kubectl("scale", "argus/demo", "--replicas=2", "-n", "scale")
        await eventually(lambda: _is(_count(cluster), 2), PATIENCE, 0.2)
        await cluster.becomes("WithinBudget", "True")

        async def told():
            status = await cluster.status()
            return (status["workers"], status["summary"]["workers"][-1]) == (2, "2")

        await eventually(told, PATIENCE, 0.2)
        await eventually(lambda: _is(_variants(cluster), {"large", "tiny"}), PATIENCE, 0.2)


async def test_a_new_template_is_rolled_out_a_few_at_a_time(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "rolls", tmp_path) as cluster:
        await serving(cluster, workers=4)
        before = {n: p["metadata"]["uid"] for n, p in (await cluster.pods()).items()}
        least = 4

        async def rolled():
            nonlocal least
            pods = await cluster.pods()
            least = min(least, len(pods))
            return len(pods) == 4 and not set(before.values()) & {
                p["metadata"]["uid"] for p in pods.values()
            }

        variants = document()["spec"]["variants"]
        variants[0]["revision"] = "newer"
        await cluster.apply(document(4, variants=variants))
        await eventually(rolled, PATIENCE, 0.1)
        await cluster.becomes("Progressing", "False", "Settled")
        assert least >= 3
        assert cluster.kubelet.most["cpu"] == 4


async def test_paused_means_that_nothing_is_touched(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "paused", tmp_path) as cluster:
        await serving(cluster)
        cluster.cluster.kubectl("annotate", "argus/demo", "argus.dev/paused=true", "-n", "paused")
        await cluster.becomes("PlanCurrent", "False", "Paused")
        cluster.cluster.kubectl("delete", "service", "demo-router", "-n", "paused")
        cluster.cluster.kubectl("annotate", "argus/demo", "argus.dev/paused-", "-n", "paused")
        await eventually(lambda: cluster.get(SERVICE, "demo-router"), PATIENCE, 0.2)
        await cluster.becomes("Progressing", "False", "Settled")


async def test_advice_is_told_and_nobody_moves(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "advice", tmp_path) as cluster:
        planning = {"mode": "advisory", "intervalSeconds": 1}
        await serving(cluster, workers=3, planning=planning)
        told = {name: list(worker.told) for name, worker in cluster.kubelet.workers.items()}

        async def advised():
            return "moves" in (await cluster.status()).get("plan", {}).get("advice", "")

        async with flooded(cluster):
            await eventually(advised, PATIENCE, 0.2)
        assert await cluster.condition("PlanCurrent") == ("False", "Advisory")
        assert {n: list(w.told) for n, w in cluster.kubelet.workers.items()} == told


async def test_an_operator_that_was_killed_goes_on_where_it_was(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "killed", tmp_path) as cluster:
        await serving(cluster)
        plan = (await cluster.status())["plan"]["id"]
        told = {name: list(worker.told) for name, worker in cluster.kubelet.workers.items()}
        await cluster.operator.kill()
        cluster.cluster.kubectl("delete", "pod", "demo-cpu-1", "-n", "killed")
        await eventually(lambda: _is(_count(cluster), 2), PATIENCE, 0.2)
        await cluster.operator.start()
        await eventually(lambda: _served(cluster.kubelet.workers.get("demo-cpu-1")), PATIENCE)
        await cluster.becomes("Progressing", "False", "Settled")
        # Who held something was left alone.
        assert cluster.kubelet.workers["demo-cpu-0"].told == told["demo-cpu-0"]
        assert (await cluster.status())["plan"]["id"] >= plan


async def test_an_operator_begun_anew_writes_and_tells_nothing_that_stands(
    api_server: Kubernetes, tmp_path
):
    """Each cluster had been written again, by seventeen requests, and said to be lost."""
    async with studio(api_server, "anew", tmp_path) as cluster:
        await serving(cluster)
        # What is not known at first is told a little later.
        await cluster.becomes("PlanCurrent", "Unknown", "NoLoadYet")
        await cluster.becomes("SLOMet", "Unknown", "NoTraffic")
        before = await _since(cluster)
        await cluster.operator.kill()
        await cluster.operator.start()
        samples = await eventually(lambda: _heard(cluster), PATIENCE, 0.2)
        requests = [s.labels for s in samples if s.name == "argus_operator_api_requests_total"]
        asked = {(labels["kind"], labels["method"]) for labels in requests}
        assert ("PodDisruptionBudget", "GET") in asked
        written = {kind for kind, method in asked if method == "PATCH"}
        # What was planned may have to be told anew.
        assert written.isdisjoint({kind.name for kind in OWNED} - {"ConfigMap"})
        assert await _since(cluster) == before


async def test_the_second_operator_waits_for_the_lease_of_the_first(
    api_server: Kubernetes, tmp_path
):
    async with studio(api_server, "lease", tmp_path) as cluster:
        await serving(cluster)
        second = Operator(api_server, "lease", tmp_path, "b")
        await second.start()
        try:
            lease = await cluster.get(LEASE, "argus-operator")
            assert lease["spec"]["holderIdentity"] == "operator-a"
            assert await cluster.operator.stop() == 0

            async def taken():
                found = await cluster.get(LEASE, "argus-operator")
                return found["spec"]["holderIdentity"] == "operator-b"

            await eventually(taken, PATIENCE, 0.2)
            cluster.cluster.kubectl("delete", "service", "demo-router", "-n", "lease")
            await eventually(lambda: cluster.get(SERVICE, "demo-router"), PATIENCE, 0.2)
        finally:
            await second.stop()


async def test_fields_of_a_newer_resource_stop_no_older_operator(api_server: Kubernetes, tmp_path):
    slo = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/slo/properties/newer"
    newer = {"type": "string", "default": "said by the API server"}

    def patch(**step):
        patched = json.dumps([{"path": slo, **step}])
        api_server.kubectl("patch", "crd/argusclusters.argus.dev", "--type=json", "-p", patched)

    async with studio(api_server, "newer", tmp_path) as cluster:
        patch(op="add", value=newer)
        try:
            await serving(cluster)
            assert (await cluster.get(CLUSTER, "demo"))["spec"]["slo"]["newer"] == newer["default"]
        finally:
            patch(op="remove")
    assert (
        "passes over fields of a newer ArgusCluster: spec.slo.newer"
        in cluster.operator.log.read_text()
    )


async def test_deletion_leaves_nothing_behind(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "gone", tmp_path) as cluster:
        await serving(cluster)
        cluster.cluster.kubectl("delete", "argus/demo", "-n", "gone")

        async def nothing():
            left = [
                await cluster.gateway.list(kind, "gone", selector="argus.dev/cluster=demo")
                for kind in OWNED
            ]
            return not any(left) and not await cluster.pods()

        await eventually(nothing, PATIENCE, 0.5)


async def test_what_is_refused_is_told_with_the_reason(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "refused", tmp_path) as cluster:
        await serving(cluster)
        template = {"spec": {"containers": [{"name": "worker", "imagePullPolicy": "Sometimes"}]}}
        pools = [{"name": "cpu", "workers": 2, "podTemplate": template}]
        await cluster.apply(document(pools=pools))
        await cluster.becomes("Ready", "False", "ApplyRefused")
        (ready,) = [c for c in (await cluster.status())["conditions"] if c["type"] == "Ready"]
        assert "imagePullPolicy" in ready["message"]
        assert "Sometimes" in ready["message"]
        # The workers go on as they were.
        assert await _count(cluster) == 2
        await serving(cluster)


async def test_a_pinned_worker_keeps_what_it_is_pinned_to(api_server: Kubernetes, tmp_path):
    async with studio(api_server, "pinned", tmp_path) as cluster:
        await serving(cluster, workers=3)
        pin = "argus.dev/pinned=large"
        cluster.cluster.kubectl("annotate", "pod/demo-cpu-1", pin, "-n", "pinned")
        await eventually(lambda: _is(_holds(cluster, "demo-cpu-1"), ["large"]), PATIENCE, 0.2)
        async with flooded(cluster):
            await cluster.becomes("PlanCurrent", "True", "Followed")
            await eventually(lambda: _is(_holds(cluster, "demo-cpu-0"), ["tiny"]), PATIENCE, 0.2)
        assert list(cluster.kubelet.workers["demo-cpu-1"].state.loadout) == ["large"]


async def _is(found, wanted):
    return await found == wanted


async def _labels(cluster):
    return sorted((await cluster.labels()).values())


async def _summary(cluster):
    return (await cluster.status())["summary"]["workers"]


async def _count(cluster):
    return len(await cluster.pods())


async def _large(cluster):
    return "large" in (await cluster.labels()).values()


async def _variants(cluster):
    return {variant for variant in (await cluster.labels()).values() if variant}


async def _holds(cluster, name):
    worker = cluster.kubelet.workers.get(name)
    return list(worker.state.loadout) if worker else []


def _served(worker):
    return worker is not None and list(worker.state.loadout)


async def _since(cluster):
    """By condition, since when it is as it is."""
    conditions = (await cluster.status())["conditions"]
    return {c["type"]: (c["status"], c["lastTransitionTime"]) for c in conditions}


async def _heard(cluster):
    """The operator's metrics, once it has heard that both workers serve."""
    url = f"http://127.0.0.1:{cluster.operator.metrics}/metrics"
    try:
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    except OSError:
        return None
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    serving = sum(s.value for s in samples if s.name == "argus_operator_current_replicas")
    return samples if serving == 2 else None
