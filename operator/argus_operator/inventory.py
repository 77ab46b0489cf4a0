"""The objects of a cluster: applied when they must be, and no oftener."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence

from argus_core.errors import NotFound
from argus_operator import names
from argus_operator.gateway import Gateway, Object, Refused
from argus_operator.kinds import OWNED, POD_MONITOR, Kind, key_of, kind_named
from argus_operator.objects.common import digest
from argus_operator.overlay import covers
from argus_operator.quarrels import Quarrels

log = logging.getLogger(__name__)

Key = tuple[str, str]


class Inventory:
    """What there shall be of a cluster, and what is known to be so.

    Every object carries a digest of what it was applied as. One that is found to carry the right
    one, and to say all that it shall, is as good as applied: a new process writes nothing.
    """

    def __init__(
        self, gateway: Gateway, *, resync: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """All is looked at again every `resync` seconds, whatever was seen."""
        self._gateway, self._resync, self._clock = gateway, resync, clock
        self._wanted: dict[Key, bytes] = {}
        """As JSON: there may be many clusters, and it is seldom needed."""
        self._applied: dict[Key, int] = {}
        """Of these, and of what was wanted before, those that are so, with their version then."""
        self._quarrels = Quarrels(clock)
        self._all_at = float("-inf")
        self.refusals: dict[str, str] = {}
        """By object, why the API server would not have it."""
        self._left: set[str] = set()
        """UIDs of what is not wanted, and may not be deleted."""

    def want(self, things: Sequence[Object]) -> None:
        """From now on there shall be these things, and no others."""
        wanted = {key_of(thing): _packed(_stamped(thing)) for thing in things}
        for key, packed in wanted.items():
            if self._wanted.get(key) != packed:
                self._applied.pop(key, None)
        self._wanted = wanted

    async def apply(self, namespace: str, cluster: str, *, fresh: bool = False) -> None:
        """Have every object say what it shall; take away what is no longer wanted.

        An object that is refused is told of in `refusals`; the others are applied all the same.

        Args:
            namespace: where.
            cluster: whose.
            fresh: nobody has made anything of it yet.
        """
        due = self._clock() - self._all_at >= self._resync
        looks = (due and not fresh) or bool(self._applied.keys() - self._wanted.keys())
        found = await self._found(namespace, cluster) if looks else {}
        if due:
            self._applied.clear()
        self.refusals = {}
        for key, packed in self._wanted.items():
            if key in found and covers(found[key], json.loads(packed)):
                self._applied[key] = _version(found[key])
            elif key not in self._applied and self._quarrels.may_mend(key):
                await self._apply(key)
        for key in found.keys() - self._wanted.keys():
            await self._take_away(key, found[key], namespace)
        if due and not self.refusals:
            self._all_at = self._clock()

    def saw(self, thing: Object, *, deleted: bool) -> bool:
        """Somebody changed an object; whether it must be applied again."""
        key = key_of(thing)
        if key not in self._applied or key not in self._wanted:
            return False
        # What is no newer than what was written is what was there before, or just that.
        if not deleted and 0 < _version(thing) <= self._applied[key]:
            return False
        if not deleted and covers(thing, json.loads(self._wanted[key])):
            return False
        del self._applied[key]
        self._quarrels.changed(key, _changed_by(thing))
        return True

    def lacks(self, kind: Kind, there: Callable[[str], bool], version: str) -> bool:
        """All objects of a kind were listed; whether any is gone that must be applied again.

        Args:
            kind: of those.
            there: whether there is one of this name.
            version: of the list; what was written later cannot be in it.
        """
        listed = _number(version)
        gone = [
            key
            for key, written in self._applied.items()
            if key[0] == kind.name and not there(key[1]) and (written <= listed or not listed)
        ]
        for key in gone:
            del self._applied[key]
            self._quarrels.changed(key, "")
        return bool(gone)

    def contested(self) -> dict[str, str]:
        """By object that somebody changes back each time, who does; empty where none knows."""
        return self._quarrels.told()

    async def _apply(self, key: Key) -> None:
        try:
            written = await self._gateway.apply(json.loads(self._wanted[key]))
        except (Refused, NotFound) as error:  # NotFound: there is no such kind
            self.refusals[" ".join(key)] = str(error)
        else:
            self._applied[key] = _version(written)

    async def _found(self, namespace: str, cluster: str) -> dict[Key, Object]:
        """All that carries the cluster's label."""
        found = dict[Key, Object]()
        for kind in (*OWNED, POD_MONITOR):
            try:
                listed = await self._gateway.list(kind, namespace, selector=names.selector(cluster))
            except (NotFound, Refused):
                continue
            found |= {(kind.name, thing["metadata"]["name"]): thing for thing in listed}
        return found

    async def _take_away(self, key: Key, thing: Object, namespace: str) -> None:
        """Delete what is not wanted, if it is the operator's."""
        self._applied.pop(key, None)
        if not _is_ours(thing):
            return
        kind, uid = kind_named(key[0]), thing["metadata"]["uid"]
        if uid in self._left:
            return
        log.info("%s %s is no longer wanted", *key)
        try:
            await self._gateway.delete(kind, namespace, key[1], uid=uid)
        except Refused as error:
            # A newer operator's, of a kind that this one has no right to delete. It does no harm.
            log.warning("%s %s is left until the cluster goes: %s", *key, error)
            self._left.add(uid)


def _stamped(thing: Object) -> Object:
    """With a digest of the rest, by which it is known again."""
    meta = thing["metadata"]
    annotations = {**meta.get("annotations", {}), names.APPLIED: digest(thing)}
    return {**thing, "metadata": {**meta, "annotations": annotations}}


def _version(thing: Object) -> int:
    """The greater of two of an object's is the newer; 0 where it says none that compares."""
    return _number(thing["metadata"].get("resourceVersion", ""))


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _changed_by(thing: Object) -> str:
    """Who wrote last, of those who are not the operator and write no status; empty for nobody."""
    managers = [
        (entry.get("time", ""), entry.get("manager", ""))
        for entry in thing["metadata"].get("managedFields") or ()
        if entry.get("manager") != names.FIELD_MANAGER and not entry.get("subresource")
    ]
    return max(managers, default=("", ""))[1]


def _packed(thing: Object) -> bytes:
    return json.dumps(thing, separators=(",", ":"), sort_keys=True).encode()


def _is_ours(thing: Object) -> bool:
    labels = thing["metadata"].get("labels", {})
    owned = any(o["kind"] == "ArgusCluster" for o in thing["metadata"].get("ownerReferences", ()))
    return owned and labels.get("app.kubernetes.io/managed-by") == names.FIELD_MANAGER
