"""Pods that there shall be and that the API server will not have: whose, and why.

A quota, a LimitRange or the namespace's pod security refuse a pod only when its owner makes it, so
that there is nothing whose status could tell. A Deployment says it in a condition, a StatefulSet
in events alone. Nothing is asked while there are as many pods as there shall be.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from argus_core.errors import NotFound
from argus_core.spec import ArgusCluster, ClusterSpec
from argus_operator import names
from argus_operator.gateway import Gateway, Object, Refused
from argus_operator.kinds import DEPLOYMENT, EVENT, STATEFUL_SET, kind_named
from argus_operator.pods import Pod
from argus_operator.refused import of_deployment, of_events


async def unmade(gateway: Gateway, cluster: ArgusCluster, pods: Sequence[Pod]) -> dict[str, str]:
    """By owner, as `StatefulSet demo-cpu`, why it could not make its pods; of those that miss any.

    Raises:
        Unavailable: the API server does not answer.
    """
    spec, name, namespace = cluster.spec, cluster.metadata.name, cluster.metadata.namespace
    found = dict[str, str]()
    if any(_missing(pods, role, wanted) for role, wanted in _deployed(spec).items()):
        for thing in await gateway.list(DEPLOYMENT, namespace, selector=names.selector(name)):
            if why := of_deployment(thing):
                found[f"{DEPLOYMENT.name} {thing['metadata']['name']}"] = why
    for pool in spec.pools:
        if sum(pod.pool == pool.name for pod in pods) < pool.workers:
            owner = names.workload(name, pool.name)
            about = f"involvedObject.kind={STATEFUL_SET.name},involvedObject.name={owner}"
            if why := of_events(await _events(gateway, namespace, about)):
                found[f"{STATEFUL_SET.name} {owner}"] = why
    return found


async def touch(gateway: Gateway, namespace: str, owner: str, when: str) -> None:
    """Have the controller of an owner, as `unmade` names it, try at once; `when` is RFC 3339.

    Its own tries are up to a quarter of an hour apart. A Deployment's ReplicaSet is given its
    annotations, so that it is touched, too.

    Raises:
        Unavailable: the API server does not answer.
    """
    kind, name = owner.split()
    patch = {"metadata": {"annotations": {names.TRIED: when}}}
    with suppress(NotFound):
        await gateway.merge(kind_named(kind), namespace, name, patch)


async def _events(gateway: Gateway, namespace: str, about: str) -> list[Object]:
    """None where roles that are not the chart's do not let it look: serving does not hang on it."""
    try:
        return await gateway.list(EVENT, namespace, fields=about)
    except Refused:
        return []


def _deployed(spec: ClusterSpec) -> dict[str, int]:
    """Pods that Deployments shall have, by role."""
    return {
        names.ROUTER: spec.router.replicas,
        names.PREDICTOR: spec.predictor.replicas,
    }


def _missing(pods: Sequence[Pod], role: str, wanted: int) -> bool:
    return sum(pod.role == role and not pod.terminating for pod in pods) < wanted
