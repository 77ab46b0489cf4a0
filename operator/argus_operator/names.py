"""What everything of a cluster is called, and the labels by which it is found."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

CLUSTER = "argus.dev/cluster"
ROLE = "argus.dev/role"
POOL = "argus.dev/pool"
VARIANT = "argus.dev/variant"
"""On a worker's pod: the first variant that it holds or shall hold."""
HOLDS = "argus.dev/holds-"
"""Begins a label for every variant that a worker's pod holds or shall hold."""
LOADOUT = "argus.dev/loadout"
"""Annotation of a worker's pod: what it was told to hold, by commas; a container that is started
anew in it begins with that."""
APPLIED = "argus.dev/applied"
"""Annotation of what the operator makes: a digest of all that it says of the object."""
INTERNAL_TLS = "argus.dev/internal-tls"
"""Annotation of a pod: with `true` it speaks mutual TLS alone with the cluster's other parts."""
PAUSED = "argus.dev/paused"
"""Annotation of an ArgusCluster: with `true` nothing of it is moved, rolled or planned."""
PINNED = "argus.dev/pinned"
"""Annotation of a worker's pod: variants, by commas, that it shall hold whatever the load."""
TRIED = "argus.dev/tried"
"""Annotation of a StatefulSet or Deployment whose pods were refused: when its controller was last
asked to try again."""
FIELD_MANAGER = "argus-operator"

WORKER, ROUTER, PREDICTOR = "worker", "router", "predictor"

_LABEL = 57
_LONGEST = 47
"""Of a workload's name: pods' names and revision labels, of 63 characters at most, add to it."""


def labels(cluster: str, role: str | None = None, pool: str | None = None) -> dict[str, str]:
    """By which the parts of a cluster are found."""
    found = {CLUSTER: cluster}
    if role is not None:
        found[ROLE] = role
    if pool is not None:
        found[POOL] = pool
    return found


def selector(cluster: str, role: str | None = None) -> str:
    """The same, as lists of objects are asked for."""
    return ",".join(f"{key}={value}" for key, value in labels(cluster, role).items())


def workload(cluster: str, pool: str) -> str:
    """The name of the pool's StatefulSet; its pods' are this, a dash, and a number from 0.

    What is too long or no DNS label is cut, and kept apart from others by a digest.
    """
    name = f"{cluster}-{pool}"
    if len(name) <= _LONGEST and "." not in name:
        return name
    digest = sha256(pool.encode()).hexdigest()[:8]
    return f"{name.replace('.', '-')[: _LONGEST - 9].rstrip('-')}-{digest}"


def worker(cluster: str, pool: str, number: int) -> str:
    """The name of a worker: its pod's."""
    return f"{workload(cluster, pool)}-{number}"


def holding(loadout: Sequence[str]) -> dict[str, str]:
    """The labels of a worker's pod that tell what it holds; of its first variant, and of each."""
    held = {HOLDS + _label(variant): "true" for variant in loadout}
    return {VARIANT: loadout[0], **held} if loadout else {}


def _label(variant: str) -> str:
    """What fits behind `holds-` in a label's 63 characters."""
    if len(variant) <= _LABEL:
        return variant
    return f"{variant[: _LABEL - 9]}-{sha256(variant.encode()).hexdigest()[:8]}"


def workers_service(cluster: str) -> str:
    """The headless Service under which each worker has a name."""
    return f"{cluster}-workers"


def routers_service(cluster: str) -> str:
    """The headless Service under which each router has a name."""
    return f"{cluster}-routers"


def router_host(cluster: str, namespace: str) -> str:
    """The name of the routers' Service within Kubernetes, which their certificate must have."""
    return f"{part(cluster, ROUTER)}.{namespace}.svc"


def part(cluster: str, role: str) -> str:
    """The name of a part's Deployment, ServiceAccount and the like."""
    return f"{cluster}-{role}"
