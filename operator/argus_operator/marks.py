"""Labels and annotations of workers' pods, which tell what they hold or shall hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from argus_control.crew import Crew
from argus_core.errors import NotFound
from argus_core.spread import Loadout
from argus_operator import names
from argus_operator.gateway import Gateway
from argus_operator.kinds import POD
from argus_operator.pods import Pod


class Marks:
    """Of one cluster in a namespace."""

    def __init__(self, gateway: Gateway, namespace: str) -> None:
        self._gateway, self._namespace = gateway, namespace
        self._seen: dict[str, dict[str, str]] = {}
        """By pod, its labels as they were last seen."""

    async def mark(self, name: str, loadout: Loadout) -> None:
        """Have a pod say what its worker is about to be told, and begins with when restarted.

        Raises:
            NotFound: there is no such pod.
        """
        gone = dict.fromkeys(_holding(self._seen.get(name, {})), None)
        labels = {**gone, **names.holding(loadout)}
        patch = {"labels": labels, "annotations": {names.LOADOUT: ",".join(loadout)}}
        await self._gateway.merge(POD, self._namespace, name, {"metadata": patch})

    async def mend(self, pods: Iterable[Pod], crew: Crew) -> bool:
        """Have pods say what their workers hold or shall hold; whether any said otherwise."""
        pods = list(pods)
        self._seen, differed = {pod.name: pod.labels for pod in pods}, False
        for pod in pods:
            if pod.name not in crew.states or not crew.states[pod.name].assigned:
                continue
            held = crew.loadouts[pod.name]
            if _holding(pod.labels) != names.holding(held) or pod.loadout != held:
                differed = True
                with suppress(NotFound):
                    await self.mark(pod.name, held)
        return differed


def _holding(labels: Mapping[str, str]) -> dict[str, str]:
    """Of a pod's labels, those that tell what it holds."""
    return {k: v for k, v in labels.items() if k == names.VARIANT or k.startswith(names.HOLDS)}
