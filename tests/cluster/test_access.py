"""The operator keeps routers that ask for certificates and API keys, and workers that do."""

from __future__ import annotations

import pytest

from argus_client import AsyncClient, Order, Retry, Tls
from argus_client.workers import assign
from argus_core.errors import ArgusError, Unavailable
from argus_operator.kinds import CONFIG_MAP
from argus_rpc.keys import new_key
from cluster.closed import ROUTER, secret, secrets
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, Operator, document, studio
from helpers import eventually
from security_support import Authority

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SHOP = new_key()
ONCE = Retry(attempts=1)


async def guarded(cluster, authority, folder):
    """A cluster with mutual TLS and API keys, of which the operator has a certificate."""
    host = f"demo-router.{cluster.namespace}.svc"
    for made in secrets(authority, folder / "routers", host, SHOP):
        await cluster.apply(made)
    await cluster.apply(document(1, router=ROUTER))
    return host


def the_router(cluster):
    ((name, address),) = (
        (name, cluster.kubelet.addresses[name]) for name in cluster.kubelet.routers
    )
    return name, f"{address}:8000"


async def test_routers_ask_the_operator_for_a_certificate_and_a_key(
    api_server: Kubernetes, tmp_path
):
    authority, mine = Authority(), tmp_path / "operator"
    authority.secret(mine, "argus-operator")
    space = studio(api_server, "guarded", tmp_path, ARGUS_ROUTERS_TLS=str(mine))
    async with space as cluster:
        host = await guarded(cluster, authority, tmp_path)
        await cluster.becomes("Ready", "True", "Serving")
        # It hears the router, and the router takes its plans.
        await cluster.becomes("SLOMet", "Unknown", "NoTraffic")
        assert (await cluster.status())["endpoints"]["http"] == f"https://{host}:8080"
        name, address = the_router(cluster)
        tls = Tls(
            ca=mine / "ca.crt",
            certificate=mine / "tls.crt",
            key=mine / "tls.key",
            server_name=host,
        )
        async with AsyncClient(address, tls=tls, api_key=SHOP, retry=ONCE) as client:
            (picture,) = await client.draw(Order(prompt="a red circle", deadline=20))
            assert picture.worker
        for wrong in ({"tls": tls}, {"tls": Tls(ca=mine / "ca.crt", server_name=host)}, {}):
            with pytest.raises(ArgusError):
                async with AsyncClient(address, api_key="", retry=ONCE, **wrong) as client:
                    await client.describe(timeout=5)
        # Another process has another key: the router hears its digest, and is not made anew.
        await cluster.operator.stop()
        before = await told(cluster)
        cluster.operator = Operator(
            api_server, "guarded", tmp_path, "b", ARGUS_ROUTERS_TLS=str(mine)
        )
        await cluster.operator.start()
        await eventually(lambda: _differs(cluster, before), PATIENCE, 0.2)
        await cluster.becomes("SLOMet", "Unknown", "NoTraffic")
        async with AsyncClient(address, tls=tls, api_key=SHOP, retry=ONCE) as client:
            await client.draw(Order(prompt="a red circle", deadline=20))
        await cluster.becomes("SLOMet", "True", "Met")
        assert the_router(cluster)[0] == name


async def told(cluster):
    """The operator's digest, as routers are told it."""
    found = await cluster.get(CONFIG_MAP, "demo")
    return found["data"]["control.keys"]


async def _differs(cluster, before):
    return await told(cluster) != before


async def test_a_router_that_the_operator_cannot_trust_is_named_with_the_reason(
    api_server: Kubernetes, tmp_path
):
    stranger = tmp_path / "operator"
    Authority().secret(stranger, "argus-operator")
    space = studio(api_server, "mistrust", tmp_path, ARGUS_ROUTERS_TLS=str(stranger))
    async with space as cluster:
        await guarded(cluster, Authority(), tmp_path)
        await cluster.becomes("PlanCurrent", "False", "RouterBehind")
        (plan,) = (c for c in (await cluster.status())["conditions"] if c["type"] == "PlanCurrent")
        assert "CERTIFICATE_VERIFY_FAILED" in plan["message"]


@pytest.mark.long
async def test_a_cluster_that_is_closed_within_leaves_nobody_who_cannot_be_spoken_with(
    api_server: Kubernetes, tmp_path
):
    authority, mine = Authority(), tmp_path / "operator"
    authority.secret(mine, "argus-operator")
    space = studio(api_server, "within", tmp_path, ARGUS_WORKERS_TLS=str(mine))
    async with space as cluster:
        await cluster.apply(document(2))
        await cluster.becomes("Ready", "True", "Serving")
        before = {pod["metadata"]["uid"] for pod in (await cluster.pods()).values()}
        tls = authority.secret(tmp_path / "parts", "demo-internal.within.svc")
        await cluster.apply(secret("parts", **tls))
        await cluster.apply(document(2, internalTls={"secretName": "parts"}))

        async def anew():
            pods = (await cluster.pods()).values()
            return len(pods) == 2 and not before & {pod["metadata"]["uid"] for pod in pods}

        await eventually(anew, PATIENCE, 0.2)
        await cluster.becomes("Progressing", "False", "Settled")
        await cluster.becomes("Ready", "True", "Serving")
        _, address = the_router(cluster)
        async with AsyncClient(address) as client:
            (picture,) = await client.draw(Order(prompt="a red circle", deadline=30))
        assert picture.worker
        plainly = f"{cluster.kubelet.addresses[picture.worker]}:9000"
        with pytest.raises(Unavailable, match="it may want TLS"):
            await assign(plainly, ["tiny"])
        # An operator that was not given a certificate says what it lacks.
        await cluster.operator.stop()
        cluster.operator = Operator(api_server, "within", tmp_path, "b")
        await cluster.operator.start()
        await cluster.becomes("Ready", "False", "NoReadyWorkers")
        (ready,) = (c for c in (await cluster.status())["conditions"] if c["type"] == "Ready")
        assert "set operator.workers.tlsSecret" in ready["message"]
