"""Whatever right the operator lacks, it asks for and is refused; with it, what was due is done."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from argus_operator.kinds import OWNED, POD_MONITOR
from argus_rpc.keys import new_key
from cluster.charts import MATRIX, render
from cluster.closed import ROUTER, secrets
from cluster.kubernetes import Kubernetes
from cluster.operating import PATIENCE, document, studio
from cluster.rights import Account, knows_pod_monitors
from cluster.rules import quota
from cluster.test_profile import config_map, profile
from helpers import eventually
from security_support import Authority

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(900)]

SPACE = "missed"
CLUSTERS, STATUS = ("argus.dev", "argusclusters"), ("argus.dev", "argusclusters/status")
PODS, EVENTS = ("", "pods"), ("", "events")
LEASES, MONITORS = ("coordination.k8s.io", "leases"), ("monitoring.coreos.com", "podmonitors")
SETS, BUDGETS = ("apps", "statefulsets"), ("policy", "poddisruptionbudgets")
MADE = (
    "configmap/demo", "serviceaccount/demo-worker", "service/demo-router",
    "deployment/demo-router", "networkpolicy/demo-worker", "statefulset/demo-two",
    "poddisruptionbudget/demo-two",
)  # fmt: skip
"""One of each kind that a cluster is made of."""


def said(*, monitor=True, pools=("cpu", "two"), **pool):
    """A cluster with all that there can be."""
    found = document(
        ladder=[],
        router=ROUTER,
        profile={"configMapName": "measured", "key": "p.json"},
        observability={"podMonitor": monitor},
    )
    found["spec"]["pools"] = [
        {"name": name, "gpuType": "cpu", "workers": 1, **pool} for name in pools
    ]
    return found


class Bench:
    """The cluster, its operator, and the account whose rights are taken."""

    def __init__(self, cluster, account):
        self.cluster, self.account = cluster, account
        self.proven = set()
        """Rights that were missed."""

    def kubectl(self, *arguments):
        return self.cluster.cluster.kubectl(*arguments, "-n", SPACE)

    def verb(self, verb, *but):
        """Rights of this verb, without those to these resources."""
        return {r for r in self.account.rights - self.proven if r[2] == verb and r[:2] not in but}

    @asynccontextmanager
    async def without(self, rights):
        """While rights are missing, something is done; at the end the operator was refused all."""
        with self.account.without(*rights) as since:
            yield since
            await eventually(lambda: rights <= self.account.missed(since), PATIENCE, 0.2)
            assert self.account.missed(since) <= rights
        self.proven |= rights

    async def begins_without(self, rights):
        """What an operator asks for as it starts: it may end at the first that it is refused."""
        operator = self.cluster.operator
        with self.account.without(*rights) as since:

            def over():
                return operator.ended is not None or rights <= self.account.missed(since)

            for _ in rights:
                await operator.start()
                await eventually(over, PATIENCE, 0.1)
                await operator.kill()
                if rights <= self.account.missed(since):
                    break
            assert self.account.missed(since) == rights
        self.proven |= rights

    async def settled(self):
        await self.cluster.becomes("Ready", "True", "Serving")
        await self.cluster.becomes("Progressing", "False", "Settled")


@asynccontextmanager
async def bench(api_server, folder):
    rendered = render("argus", MATRIX["defaults"], folder)
    knows_pod_monitors(api_server)
    account = Account(api_server, rendered, folder)
    authority, mine = Authority(), folder / "operator"
    authority.secret(mine, "argus-operator")
    environment = {
        "KUBECONFIG": str(account.kubeconfig),
        "POD_NAMESPACE": account.namespace,
        "ARGUS_ROUTERS_TLS": str(mine),
    }
    space = studio(api_server, SPACE, folder, begins=False, **environment)
    async with space as cluster:
        host = f"demo-router.{SPACE}.svc"
        for made in secrets(authority, folder / "routers", host, new_key()):
            await cluster.apply(made)
        await cluster.apply(config_map(json.dumps(profile())))
        try:
            yield Bench(cluster, account)
        finally:
            if cluster.operator.ended is None:
                await cluster.operator.kill()


async def test_each_right_is_missed_where_it_is_missing(api_server: Kubernetes, tmp_path):
    async with bench(api_server, tmp_path) as work:
        await begins(work)
        await work.cluster.operator.start()
        await makes(work)
        await looks(work)
        await mends(work)
        await takes_away(work)
        assert work.proven == work.account.rights


async def begins(work):
    """The kind is looked for first, then the lease is taken, and at last all is watched."""
    await work.begins_without({(*CLUSTERS, "list")})
    await work.begins_without({(*LEASES, "create")})
    await work.begins_without({(*LEASES, "get")})
    await work.cluster.operator.start()
    lease = ("lease/argus-operator", "-n", work.account.namespace)
    get = ("wait", "--for=create", *lease, "--timeout=60s")
    work.cluster.cluster.kubectl(*get)
    await work.cluster.operator.stop()
    await work.begins_without({(*LEASES, "update")})
    await work.begins_without(work.verb("list", EVENTS, MONITORS))
    await work.begins_without(work.verb("watch"))


async def makes(work):
    async with work.without(work.verb("create")):
        await work.cluster.apply(said())
        await work.cluster.becomes("Ready", "False", "ApplyRefused")
    await work.settled()
    await work.cluster.becomes("SLOMet", "Unknown", "NoTraffic")
    await work.cluster.becomes("ProfileCurrent", "True", "ProfileApplied")


async def looks(work):
    async with work.without({(*CLUSTERS, "get")}):
        work.kubectl("annotate", "argus/demo", "look=again")
    async with work.without({(*EVENTS, "list")}):
        await work.cluster.apply(quota(pods="0"))
        work.kubectl("delete", "pod", "demo-cpu-0")
    await work.cluster.becomes("Progressing", "False", "PodsRefused")
    work.kubectl("delete", "resourcequota", "rule")
    work.kubectl("annotate", "statefulset/demo-cpu", "tried=again")
    await work.settled()


async def mends(work):
    """Whatever was changed is put right again."""
    rights = work.verb("patch")
    async with work.without(rights) as since:
        for thing in MADE:
            work.kubectl("annotate", "--overwrite", thing, "argus.dev/applied=by-hand")
        work.kubectl("annotate", "--overwrite", "podmonitor/demo", "argus.dev/applied=by-hand")
        changed = said()
        changed["spec"]["observability"]["monitorSecretName"] = "monitor"
        await work.cluster.apply(changed)
        # A look that may not patch pods does not come to the status.
        first = rights - {(*PODS, "patch")}
        await eventually(lambda: first <= work.account.missed(since), PATIENCE, 0.2)
        work.kubectl("label", "pod/demo-cpu-0", "argus.dev/variant-")

    def by_hand():
        things = json.loads(work.kubectl("get", *MADE, "podmonitor/demo", "-o", "json"))["items"]
        return [t for t in things if t["metadata"]["annotations"]["argus.dev/applied"] == "by-hand"]

    await eventually(lambda: not by_hand(), PATIENCE, 0.5)
    await observed(work)
    await work.settled()


async def takes_away(work):
    async with work.without({(*MONITORS, "list")}):
        await work.cluster.apply(said(monitor=False))
        await observed(work)
        # The next look that may list it takes it away.
        assert await work.cluster.get(POD_MONITOR, "demo")
    await work.cluster.apply(said())
    await observed(work)
    async with work.without(work.verb("delete")):
        await work.cluster.apply(said(monitor=False, pools=("cpu",), threads=2))
    # What it was not let delete it leaves, until it begins anew.
    await work.cluster.operator.stop()
    await work.cluster.operator.start()

    async def left():
        found = [await work.cluster.gateway.list(kind, SPACE) for kind in (*OWNED, POD_MONITOR)]
        return {thing["metadata"]["name"] for things in found for thing in things}

    async def gone():
        return "demo-two" not in await left()

    await eventually(gone, PATIENCE, 0.5)
    assert not await work.cluster.get(POD_MONITOR, "demo")
    await work.settled()


async def observed(work):
    async def is_so():
        found = json.loads(work.kubectl("get", "argus/demo", "-o", "json"))
        return found["status"]["observedGeneration"] == found["metadata"]["generation"]

    await eventually(is_so, PATIENCE, 0.2)
