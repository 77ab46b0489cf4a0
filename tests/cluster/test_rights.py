"""The operator's rights: all that it was granted it uses, and nothing else is ever asked for."""

import json

import pytest

from argus_rpc.keys import new_key
from cluster.charts import MATRIX, render
from cluster.closed import ROUTER, secret, secrets
from cluster.installed import CHARTS, SYSTEM, put
from cluster.kubernetes import CommandFailed, Kubernetes
from cluster.rights import granted, knows_pod_monitors, used
from cluster.rules import quota
from cluster.studio import PATIENCE, document, studio
from helpers import eventually
from security_support import Authority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def pool(name, **more):
    return {**document("any")["spec"]["pools"][0], "name": name, "workers": 1, **more}


async def test_the_operator_needs_every_right_that_the_chart_grants(
    installed: Kubernetes, tmp_path
):
    """A cluster with all that there can be is made, rolled, made smaller, and loses its monitor.

    Everybody in it asks for certificates, and is probed by a kubelet, which has none to show.
    """
    audit = installed.state / "log" / "audit.log"
    before_us = audit.stat().st_size
    authority, host = Authority(), "rights-router.rights.svc"
    mine = authority.secret(tmp_path / "operator", "argus-operator")
    installed.apply(secret("closed", **mine), namespace=SYSTEM)
    # It begins anew: what it asks for when it starts counts too.
    reach = "operator.routers.tlsSecret=closed,operator.workers.tlsSecret=closed"
    put(installed, "argus", CHARTS["argus"], "--set", reach)
    knows_pod_monitors(installed)
    closed = {"router": ROUTER, "internalTls": {"secretName": "within"}}
    more = {"observability": {"podMonitor": True}, **closed}
    with studio(installed, "rights", pools=[pool("one"), pool("two")], **more) as cluster:
        made = secrets(authority, tmp_path / "routers", host, new_key())
        within = authority.secret(tmp_path / "within", "rights-internal.rights.svc")
        installed.apply(*made, secret("within", **within), namespace=cluster.namespace)
        await cluster.becomes("Ready", "True")
        # It hears the routers.
        await cluster.becomes("SLOMet", "Unknown", "NoTraffic")
        before = {pod["metadata"]["uid"] for pod in cluster.pods()}
        # Of a pod that is refused its owner tells in events.
        space = ("-n", cluster.namespace)
        installed.apply(quota(pods="0"), namespace=cluster.namespace)
        installed.kubectl("delete", "pod", "rights-one-0", *space)
        await cluster.becomes("Progressing", "False", "PodsRefused")
        installed.kubectl("delete", "resourcequota", "rule", *space)
        cluster.apply(document("rights", pools=[pool("one", threads=2)], **closed))
        await eventually(
            lambda: len(cluster.pods()) == 1 and cluster.pods()[0]["metadata"]["uid"] not in before,
            timeout=PATIENCE,
            interval=0.5,
        )
        await cluster.becomes("Ready", "True")
        pods = [pod for role in ("router", "predictor", "worker") for pod in cluster.pods(role)]
        assert len(pods) == 3
        told = [each for pod in pods for each in pod["status"]["containerStatuses"]]
        assert not any(each["restartCount"] for each in told)
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
