"""Keeps one cluster as its document says: looks at all of it, does what is missing, tells what is.

Model: one task a cluster. Whatever happens only wakes it; every look begins from what the API
server and the workers say now, so nothing is lost with an event, and a crash at any point is made
good by the next look. Only a look that nothing but the clock has begun goes by the pods and the
StatefulSets of the one before, for a while: had any of them changed, that would have woken it.
Invariants:

- nothing is written that is already so: an object is applied when it is new, or was seen to differ;
  the status is patched when it differs;
- a pod of a pool is deleted only while no more workers are away than may be;
- with the annotation `argus.dev/paused` only the status is written;
- what was told before stands until workers and routers have had the time to be heard.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Mapping, Sequence, Set

from argus_control.history import History
from argus_control.pacing import Pacing
from argus_core.errors import ArgusError, InvalidRequest, Unavailable
from argus_core.spec import ArgusCluster, ClusterSpec, is_automatic, parse_stored
from argus_core.spread import Loadout
from argus_operator import names, report
from argus_operator.chronicle import Chronicle
from argus_operator.conditions import Condition
from argus_operator.crew import Controller, gist
from argus_operator.figures import Figures
from argus_operator.gateway import Gateway, Object
from argus_operator.health import Heartbeats
from argus_operator.herald import Herald
from argus_operator.inventory import Inventory
from argus_operator.kinds import CLUSTER, CONFIG_MAP, POD, Kind
from argus_operator.ledger import Account, account, next_to_replace
from argus_operator.marks import Marks
from argus_operator.members import Found, Members
from argus_operator.metrics import Metrics
from argus_operator.nudges import Nudges
from argus_operator.objects import build
from argus_operator.objects.routers import ports
from argus_operator.objects.workers import most_unavailable
from argus_operator.pods import Pod
from argus_operator.report import Sight
from argus_operator.setbacks import Setbacks
from argus_operator.settings import Settings
from argus_operator.teller import Teller
from argus_operator.times import spelled_now
from argus_operator.unmade import touch, unmade

log = logging.getLogger(__name__)

_GAP = 0.5
"""Seconds between two looks at least."""
_BUSY, _QUIET = 5.0, 60.0
"""Seconds after which it looks again by itself: after a change, and twice as many each time that
nothing has changed, up to a bound."""
_LISTENING = 4.0
"""Seconds after which it looks again while workers and routers are yet to be heard."""
_LOOK = 100.0
"""Seconds after which a look is given up and begun anew: what was applied by then stays so."""
_PATIENCE = 120.0
"""Seconds within which a look must end, or the operator is said to hang."""
_LATE = 30.0
"""Seconds that the event loop may take to come back to who has slept enough."""


class Keeper:
    """See the module; `run` it, and `wake` it."""

    def __init__(
        self,
        namespace: str,
        name: str,
        uid: str,
        *,
        gateway: Gateway,
        settings: Settings,
        metrics: Metrics,
        heartbeats: Heartbeats,
        room: asyncio.Semaphore,
        pacing: Pacing,
    ) -> None:
        """`room` bounds how many keepers look at once, `pacing` how often all ask in vain."""
        self._room, self._pacing = room, pacing
        self._namespace, self._name, self._uid = namespace, name, uid
        self._gateway, self._settings = gateway, settings
        self._metrics, self._heartbeats = metrics, heartbeats
        self._teller = Teller(gateway, Herald(gateway, namespace, name, uid), metrics)
        self._woken = asyncio.Event()
        self._controller: Controller | None = None
        self._memory: tuple[Chronicle, Figures] | None = None
        """None before the first look."""
        self.inventory = Inventory(gateway, resync=settings.resync * random.uniform(0.8, 1.2))
        """What belongs to the cluster."""
        self._said: tuple[ClusterSpec, str] | None = None
        """What the objects were built from last: the document, and the history of plans."""
        self._period = _BUSY
        self._unknown: list[str] = []
        """Fields of the document that were passed over last."""
        self._read: object = None
        """What of the document was read last that may be cause for a look."""
        self._members, self._marks = Members(gateway, namespace, name), Marks(gateway, namespace)
        self._setbacks = Setbacks(f"{namespace}/{name}", gateway.outage)
        self._nudges = Nudges(time.monotonic)

    def wake(self) -> None:
        """Look again soon."""
        self._woken.set()

    def changed(self, found: Object) -> None:
        """The document was told of; its status alone, which is the operator's own, is no news."""
        if self._read is None or self._read != _said_of(found):
            self.wake()

    def listed(self, kind: Kind, there: Set[tuple[str, str]], version: str) -> None:
        """All objects of a kind in its namespace were listed, and there were these.

        What is missing was deleted while nobody heard: the cluster is looked at again soon.
        """

        def has(name: str) -> bool:
            return (self._namespace, name) in there

        lost = self._members.lack(has) if kind is POD else self.inventory.lacks(kind, has, version)
        if lost:
            self.wake()

    async def run(self) -> None:
        """Keep the cluster until it is gone, or until cancelled."""
        who = f"{self._namespace}/{self._name}"
        try:
            while True:
                if self._woken.is_set():
                    self._members.forget()
                self._woken.clear()
                # Who waits for its turn promises nothing: however many wait, those who look do.
                self._heartbeats.forget(who)
                began = time.monotonic()
                try:
                    async with self._room:
                        self._heartbeats.beat(who, within=_PATIENCE)
                        began = time.monotonic()
                        with self._metrics.reconciles.time():
                            if not await self._look_in_time():
                                return
                except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                    await self._tried_again(who, error, began)
                else:
                    self._setbacks.over()
                    await self._rest(who)
        finally:
            self._heartbeats.forget(who)
            self._setbacks.end()
            if self._controller is not None:
                await self._controller.end()
            self._metrics.forget(self._namespace, self._name)

    async def _tried_again(self, who: str, error: Exception, began: float) -> None:
        """Tell of a look that failed, where that is not told of elsewhere, and wait a while."""
        self._metrics.failures.inc()
        self._members.forget()
        setback = self._setbacks.failed(error, began)
        if setback.told:
            bug = None if isinstance(error, ArgusError) else error
            log.warning("%s: %s; tried again", who, error, exc_info=bug)
        self._heartbeats.beat(who, within=2 * setback.pause + _LATE)
        # Not all at once, when all have failed at once; and not sooner than one was put off for.
        await asyncio.sleep(setback.pause * random.uniform(1.0, 1.4))

    async def _rest(self, who: str) -> None:
        self._heartbeats.beat(who, within=2 * self._period + _LATE)
        await asyncio.sleep(_GAP)
        try:
            async with asyncio.timeout(self._period * random.uniform(0.8, 1.2)):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _look_in_time(self) -> bool:
        try:
            async with asyncio.timeout(_LOOK):
                return await self._look()
        except TimeoutError as error:
            raise Unavailable(f"a look has not ended within {_LOOK:g} s") from error

    async def _look(self) -> bool:
        """Once around; False where the cluster is gone."""
        found = await self._gateway.get(CLUSTER, self._namespace, self._name)
        if found is None or found["metadata"]["uid"] != self._uid:
            return False
        self._read = _said_of(found)
        if "deletionTimestamp" in found["metadata"]:
            return True  # What belongs to it is deleted by its ownerReferences.
        try:
            (cluster, unknown), automatic = parse_stored(found), is_automatic(found)
        except InvalidRequest as error:
            await self._teller.tell_invalid(found, str(error))
            self._period = _QUIET
            return True
        if unknown != self._unknown:
            self._unknown = unknown
            log.warning(
                "%s/%s: passes over fields of a newer ArgusCluster: %s",
                *(self._namespace, self._name, ", ".join(unknown) or "none any more"),
            )
        await self._keep(found, cluster, automatic=automatic)
        return True

    async def _keep(self, found: Object, cluster: ArgusCluster, *, automatic: bool) -> None:
        paused = found["metadata"].get("annotations", {}).get(names.PAUSED) == "true"
        chronicle, figures = await self._remembered()
        cluster, profile = await figures.of(cluster, automatic=automatic)
        if not paused:
            said = cluster.spec, chronicle.text(time.monotonic())
            if said != self._said:  # To build them costs more than all the rest of a look.
                self.inventory.want(build(cluster, self._settings, _owner(found), plans=said[1]))
                self._said = said
            fresh = "status" not in found
            await self.inventory.apply(self._namespace, self._name, fresh=fresh)
            await self._teller.tell_contested(self.inventory.contested())
        seen = await self._members.find(found["metadata"]["generation"])
        pods = seen.pods
        controller = await self._controlled(found, cluster, pods, chronicle.history)
        controller.see(pods, paused=paused)
        revisions, accounts = self._accounts(cluster, seen, controller)
        if not paused:
            await self._replace(cluster, pods, controller, revisions)
            if await self._marks.mend(pods, controller.control.crew):
                self._members.forget()
        if "conditions" in found.get("status", {}) and controller.listens(pods):
            self._period = _LISTENING
            return
        # Before the first look nobody can have made any pod, and to read events costs much.
        missing = await unmade(self._gateway, cluster, pods) if "status" in found else {}
        if not paused:
            await self._nudge(missing)
        sight = self._sight(
            cluster, pods, controller, accounts, paused=paused, profile=profile, unmade=missing
        )
        self._metrics.see(sight)
        moved = await self._teller.tell(found, sight, controller.control.crew.states)
        self._period = _BUSY if moved else min(2 * self._period, _QUIET)

    async def _remembered(self) -> tuple[Chronicle, Figures]:
        """What was planned, and which figures levels had, as ConfigMaps told when this began."""
        if self._memory is None:
            selector = names.selector(self._name)
            maps = await self._gateway.list(CONFIG_MAP, self._namespace, selector=selector)
            told = next((m for m in maps if m["metadata"]["name"] == self._name), None)
            figures = Figures(self._gateway, self._namespace, told=told)
            self._memory = Chronicle(self._name, maps), figures
        return self._memory

    async def _controlled(
        self, found: Object, cluster: ArgusCluster, pods: Sequence[Pod], history: History
    ) -> Controller:
        """The controller of this document; the one before ends first."""
        before = self._controller
        if before is not None and before.gist == gist(cluster.spec):
            return before
        if before is not None:
            await before.end()
        self._controller = Controller(
            cluster,
            pods,
            before=before,
            standing=report.standing_plan(found.get("status", {})),
            history=history,
            settings=self._settings,
            mark=self._mark,
            on_change=self.wake,
            metrics=self._metrics.control.of(self._namespace, self._name),
            pacing=self._pacing,
        )
        if before is None:
            self._teller.told_plan = self._controller.control.plan.id
        self._controller.begin()
        return self._controller

    async def _mark(self, name: str, loadout: Loadout) -> None:
        self._members.forget()
        await self._marks.mark(name, loadout)

    def _accounts(
        self, cluster: ArgusCluster, found: Found, controller: Controller
    ) -> tuple[dict[str, str], list[Account]]:
        """Every pool's newest revision, and how its budget is used."""
        phases = controller.phases()
        revisions, accounts = {}, []
        for pool in cluster.spec.pools:
            owner = names.workload(self._name, pool.name)
            revisions[pool.name] = found.newest.get(owner, "")
            accounts.append(
                account(
                    pool.name,
                    pool.workers,
                    [pod for pod in found.pods if pod.pool == pool.name],
                    phases,
                    owner=owner,
                    revision=revisions[pool.name],
                )
            )
        return revisions, accounts

    async def _replace(
        self,
        cluster: ArgusCluster,
        pods: Sequence[Pod],
        controller: Controller,
        revisions: Mapping[str, str],
    ) -> None:
        phases = controller.phases()
        for pool in cluster.spec.pools:
            outdated = next_to_replace(
                [pod for pod in pods if pod.pool == pool.name],
                phases,
                revision=revisions[pool.name],
                wanted=pool.workers,
                most_unavailable=most_unavailable(pool.workers),
                spoken=_spoken(pods),
            )
            for pod in outdated:
                log.info("%s/%s is replaced by the newest template", self._namespace, pod.name)
                self._members.forget()
                await self._gateway.delete(POD, self._namespace, pod.name, uid=pod.uid)

    async def _nudge(self, unmade: Iterable[str]) -> None:
        """Have owners whose pods were refused try again, now and then."""
        for owner in self._nudges.due(unmade):
            await touch(self._gateway, self._namespace, owner, spelled_now())

    def _sight(
        self,
        cluster: ArgusCluster,
        pods: Sequence[Pod],
        controller: Controller,
        accounts: Sequence[Account],
        *,
        paused: bool,
        profile: Condition,
        unmade: Mapping[str, str],
    ) -> Sight:
        control, decided = controller.control, controller.control.decided
        followed = decided is not None and control.plan.solver == decided.solver.value
        ends = [pod for pod in pods if pod.role == names.WORKER and pod.name not in control.seats]
        return Sight(
            name=self._name,
            namespace=self._namespace,
            spec=cluster.spec,
            ports=ports(cluster, self._settings),
            accounts=accounts,
            workers=controller.workers(),
            pods=pods,
            shrinking=frozenset(pod.pool for pod in ends),
            mode=controller.mode,
            paused=paused,
            plan=control.plan,
            planned=controller.planned or decided is not None,
            alternatives=decided.alternatives if decided is not None else (),
            records=control.history.records,
            advice=decided.reason if decided is not None and not followed else "",
            behind=controller.behind(),
            troubles=controller.troubles(),
            silent=controller.silent(),
            report_age=controller.report_age(),
            outcome=control.outcomes.of_late(time.monotonic()),
            unmoved=controller.unmoved(),
            refusals=self.inventory.refusals,
            unmade=unmade,
            figures=profile,
        )


def _owner(found: Object) -> Object:
    return {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "name": found["metadata"]["name"],
        "uid": found["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _spoken(pods: Sequence[Pod]) -> bool | None:
    """Whether routers that are ready speak mutual TLS with workers; None where that is not one."""
    found = {pod.secured for pod in pods if pod.role == names.ROUTER and pod.ready}
    return found.pop() if len(found) == 1 else None


def _said_of(found: Object) -> object:
    """What of a document may be cause for a look: all but the status, and who wrote when."""
    meta = found["metadata"]
    return meta["generation"], meta.get("annotations"), "deletionTimestamp" in meta
