"""The objects of a cluster: applied when they must be, and no oftener."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from argus_core.errors import NotFound
from argus_operator import names
from argus_operator.gateway import Gateway, Object, Refused
from argus_operator.kinds import OWNED, POD_MONITOR, key_of
from argus_operator.overlay import covers

log = logging.getLogger(__name__)

Key = tuple[str, str]


class Inventory:
    """What there shall be of a cluster, and what is known to be so."""

    def __init__(
        self, gateway: Gateway, *, resync: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """All is applied again every `resync` seconds, whatever was seen."""
        self._gateway, self._resync, self._clock = gateway, resync, clock
        self._applied: dict[Key, Object] = {}
        self._all_at = float("-inf")
        self.refusals: dict[str, str] = {}
        """By object, why the API server would not have it."""

    async def apply(self, wanted: Sequence[Object], namespace: str, cluster: str) -> None:
        """Have every object say what it shall; take away what is no longer wanted.

        An object that is refused is told of in `refusals`; the others are applied all the same.
        """
        due = self._clock() - self._all_at >= self._resync
        keys = {key_of(thing) for thing in wanted}
        pruned = due or bool(self._applied.keys() - keys)
        self.refusals = {}
        for thing in wanted:
            if due or self._applied.get(key_of(thing)) != thing:
                await self._apply(thing)
        if pruned:
            await self._prune(keys, namespace, cluster)
        if due and not self.refusals:
            self._all_at = self._clock()

    def saw(self, thing: Object, *, deleted: bool) -> bool:
        """Somebody changed an object; whether it must be applied again."""
        key = key_of(thing)
        wanted = self._applied.get(key)
        if wanted is None or (not deleted and covers(thing, wanted)):
            return False
        del self._applied[key]
        return True

    async def _apply(self, thing: Object) -> None:
        kind, name = key_of(thing)
        try:
            await self._gateway.apply(thing)
        except (Refused, NotFound) as error:  # NotFound: there is no such kind
            self._applied.pop((kind, name), None)
            self.refusals[f"{kind} {name}"] = str(error)
        else:
            self._applied[kind, name] = thing

    async def _prune(self, keys: set[Key], namespace: str, cluster: str) -> None:
        """Delete what carries the cluster's label, is the operator's, and is not wanted."""
        for kind in (*OWNED, POD_MONITOR):
            try:
                found = await self._gateway.list(kind, namespace, selector=names.selector(cluster))
            except (NotFound, Refused):
                continue
            for thing in found:
                key = (kind.name, thing["metadata"]["name"])
                if key in keys or not _is_ours(thing):
                    continue
                log.info("%s %s is no longer wanted", *key)
                await self._gateway.delete(kind, namespace, key[1], uid=thing["metadata"]["uid"])
                self._applied.pop(key, None)


def _is_ours(thing: Object) -> bool:
    labels = thing["metadata"].get("labels", {})
    owned = any(o["kind"] == "ArgusCluster" for o in thing["metadata"].get("ownerReferences", ()))
    return owned and labels.get("app.kubernetes.io/managed-by") == names.FIELD_MANAGER
