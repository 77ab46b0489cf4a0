"""The pods and StatefulSets of a cluster, asked for where any of them may have changed.

Whatever happens to one of them is heard, and who hears it says `forget`. So what was asked for once
holds until then, and for a while at most: no more is believed of hearing than that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from argus_operator import names
from argus_operator.gateway import Gateway, Object
from argus_operator.kinds import POD, STATEFUL_SET, Kind
from argus_operator.pods import Pod, pod_of

_HOLDS = 300.0
"""Seconds for which what was asked for holds."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the API server said."""

    at: float
    generation: int
    """Of the document that was looked at then."""
    pods: Sequence[Pod]
    newest: Mapping[str, str]
    """By StatefulSet, its newest template's revision; empty until its controller has seen it."""


class Members:
    """Of one cluster; `clock` is in seconds and never goes back."""

    def __init__(
        self,
        gateway: Gateway,
        namespace: str,
        cluster: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway, self._clock = gateway, clock
        self._namespace, self._cluster = namespace, cluster
        self._found: Found | None = None

    async def find(self, generation: int) -> Found:
        """All there are, for a look at the document of this generation."""
        now, found = self._clock(), self._found
        if found is None or found.generation != generation or now - found.at >= _HOLDS:
            pods = await self._list(POD, names.selector(self._cluster))
            workers = names.selector(self._cluster, names.WORKER)
            sets = await self._list(STATEFUL_SET, workers)
            found = Found(
                at=now,
                generation=generation,
                pods=[pod_of(thing) for thing in pods],
                newest={thing["metadata"]["name"]: _revision(thing) for thing in sets},
            )
            self._found = found
        return found

    def forget(self) -> None:
        """Ask anew."""
        self._found = None

    def lack(self, there: Callable[[str], bool]) -> bool:
        """Whether any pod that was found is there no more; `there` tells by name."""
        return self._found is not None and not all(there(pod.name) for pod in self._found.pods)

    async def _list(self, kind: Kind, selector: str) -> list[Object]:
        return await self._gateway.list(kind, self._namespace, selector=selector)


def _revision(stateful_set: Object) -> str:
    status = stateful_set.get("status", {})
    if status.get("observedGeneration", 0) < stateful_set["metadata"]["generation"]:
        return ""
    revision: str = status.get("updateRevision", "")
    return revision
