"""All clusters that this operator keeps: a keeper each, woken by what happens to what is theirs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set
from contextvars import Context
from functools import partial
from typing import Any

from argus_control.pacing import Pacing
from argus_operator import names
from argus_operator.gateway import Gateway
from argus_operator.health import Heartbeats
from argus_operator.keeper import Keeper
from argus_operator.kinds import Kind
from argus_operator.metrics import Metrics
from argus_operator.settings import Settings

log = logging.getLogger(__name__)

Key = tuple[str, str]

_AT_ONCE = 8
"""Looks at clusters at once: more would only wait for one another."""
ENDING = 5.0
"""Seconds that keepers have to end, all together: the lease is to be given back, and the process to
be gone, before whoever runs it loses patience."""


class Office:
    """Opens a keeper for every cluster that is told of, and closes it when the cluster is gone."""

    def __init__(
        self, gateway: Gateway, settings: Settings, metrics: Metrics, heartbeats: Heartbeats
    ) -> None:
        self._gateway, self._settings = gateway, settings
        self._metrics, self._heartbeats = metrics, heartbeats
        self._keepers: dict[Key, tuple[str, Keeper, asyncio.Task[None]]] = {}
        self._room, self._pacing = asyncio.Semaphore(_AT_ONCE), Pacing()
        self.outage = gateway.outage
        """Of the API server."""
        self.outage.kept = lambda: len(self._keepers)

    def cluster(self, kind: str | None, thing: dict[str, Any]) -> None:
        """A cluster is there, has changed, or is gone (`DELETED`)."""
        meta = thing["metadata"]
        key, uid = (meta["namespace"], meta["name"]), meta["uid"]
        standing = self._keepers.get(key)
        if kind == "DELETED":
            if standing is not None and standing[0] == uid:
                self._close(key)
            return
        if standing is not None and standing[0] == uid and not standing[2].done():
            standing[1].changed(thing)
            return
        if standing is not None:
            self._close(key)
        self._open(key, uid)

    def belongings(self, kind: str | None, thing: dict[str, Any]) -> None:
        """Something with a cluster's label is there, has changed, or is gone."""
        meta = thing["metadata"]
        cluster = (meta.get("labels") or {}).get(names.CLUSTER, "")
        if standing := self._keepers.get((meta["namespace"], cluster)):
            keeper = standing[1]
            if thing["kind"] == "Pod" or keeper.inventory.saw(thing, deleted=kind == "DELETED"):
                keeper.wake()
            elif thing["kind"] in ("StatefulSet", "Deployment"):
                keeper.wake()  # Its status may have changed.

    def listed(self, kind: Kind, namespace: str | None, there: Set[Key], version: str) -> None:
        """All objects of a kind, in a namespace or in all, that carry a cluster's label.

        Args:
            kind: of those.
            namespace: None for all.
            there: their namespaces and names.
            version: of the list.
        """
        for (where, _), (_, keeper, _) in self._keepers.items():
            if namespace in (None, where):
                keeper.listed(kind, there, version)

    async def close(self, within: float = ENDING) -> list[str]:
        """Keep nothing any more; what is there goes on as it is.

        Args:
            within: seconds after which keepers that have not ended are waited for no longer.

        Returns:
            Those keepers, as NAMESPACE/NAME; all have been told to end.
        """
        tasks = [task for _, _, task in self._keepers.values()]
        for key in list(self._keepers):
            self._close(key)
        if not tasks:
            return []
        _, hang = await asyncio.wait(tasks, timeout=within)
        late = sorted(task.get_name() for task in hang)
        if late:
            log.warning("keepers that have not ended within %g s: %s", within, ", ".join(late))
        return late

    def _open(self, key: Key, uid: str) -> None:
        keeper = Keeper(
            *key,
            uid,
            gateway=self._gateway,
            settings=self._settings,
            metrics=self._metrics,
            heartbeats=self._heartbeats,
            room=self._room,
            pacing=self._pacing,
        )
        # In the context of kopf's handler it would keep the event, and with it the whole object.
        task = asyncio.create_task(keeper.run(), name="/".join(key), context=Context())
        task.add_done_callback(partial(self._ended, key))
        self._keepers[key] = (uid, keeper, task)
        self._metrics.clusters.set(len(self._keepers))

    def _close(self, key: Key) -> None:
        _, _, task = self._keepers.pop(key)
        task.cancel()
        self._metrics.clusters.set(len(self._keepers))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        """A keeper ends only when its cluster is gone, of which an event may never tell.

        Anything else is a bug of ours.
        """
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the keeper of %s ended by a bug", task.get_name(), exc_info=error)
        if key in self._keepers and self._keepers[key][2] is task:
            del self._keepers[key]
            self._metrics.clusters.set(len(self._keepers))
