"""The control loop of one cluster in Kubernetes: `argus_control` over its pods.

Made anew whenever the document changes what is controlled; the workers keep what they hold, and
routers the plan they know.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from argus_client import Tls
from argus_control.control import Control
from argus_control.history import History
from argus_control.lines import Reach
from argus_control.metrics import ClusterMetrics
from argus_control.mode import Mode
from argus_control.pacing import Pacing
from argus_control.planning import planning_of
from argus_control.plans import Seat
from argus_core.errors import Unavailable
from argus_core.spec import ArgusCluster, ClusterSpec, Router
from argus_core.spread import Loadout, spread_cluster
from argus_core.states import WorkerPhase
from argus_operator import names
from argus_operator.pods import Pod
from argus_operator.report import Worker
from argus_operator.settings import Settings
from argus_protos.v1 import cluster_pb2
from argus_rpc.peers import Peers, host_of

_UNCONTROLLED = {
    "pools": {"__all__": {"pod_template", "resource_name", "threads"}},
    "router": set(Router.model_fields) - {"tls", "api_keys"},
    "predictor": True,
    "latent_store": True,
    "profile": True,
    "model_volume": True,
    "compile_volume": True,
    "observability": True,
    "tenants": True,
    "tenant_defaults": True,
}
_LISTENS = 10.0
"""Seconds that those who are ready have to be heard by who has just begun."""
_TROUBLE = 300
"""Letters that are told of a router's or worker's trouble at most."""
_NOTHING_TO_SHOW = "the operator has no certificate for workers: set operator.workers.tlsSecret"


class Controller:
    """Runs a `Control` from `begin` to `end`."""

    def __init__(
        self,
        cluster: ArgusCluster,
        pods: Iterable[Pod],
        *,
        before: Controller | None,
        standing: cluster_pb2.Plan | None,
        history: History,
        settings: Settings,
        mark: Callable[[str, Loadout], Awaitable[None]],
        on_change: Callable[[], None],
        metrics: ClusterMetrics | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """Nothing happens before `begin`.

        Args:
            cluster: what it shall be.
            pods: its pods, of which the annotations tell what workers were told last.
            before: the controller that this one follows; None for the first of a process.
            standing: the plan of the status, where there is no controller before.
            history: of the cluster's plans, which goes on.
            settings: where parts listen in their pods, and how routers are reached.
            mark: awaited before a worker is told what to hold, so that its pod says so.
            on_change: hears when a worker's state or the plan has changed.
            metrics: of the control loop; None where nobody watches.
            pacing: of all who ask in vain in this process; None where nobody else does.
        """
        spec = cluster.spec
        self.gist = gist(spec)
        self._name, self._ports, self._spec = cluster.metadata.name, settings.ports, spec
        seats, loadouts = _begin(cluster, pods, before.control.crew.loadouts if before else {})
        if before is not None:
            standing = before.control.plan
        self.control: Control = Control(
            spec,
            seats,
            loadouts,
            planning_of(spec),
            obeys=False,
            standing=standing if _fits(standing, spec) else None,
            history=history,
            reach=reach(cluster, settings),
            before_assign=self._may_assign(mark),
            on_change=on_change,
            metrics=metrics,
            pacing=pacing,
        )
        self.planned = standing is not None and standing.solver not in ("", "spread")
        self._moved_at = self._began_at = time.monotonic()
        self._shape: tuple[object, ...] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def mode(self) -> Mode:
        """Who decides what the workers hold."""
        return planning_of(self._spec).mode

    def begin(self) -> None:
        """Control."""
        self._task = asyncio.create_task(self.control.run())

    async def end(self) -> None:
        """Control no more; workers and routers go on as they are."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def see(self, pods: Iterable[Pod], *, paused: bool) -> None:
        """These are the pods now."""
        control = self.control
        up = [pod for pod in pods if pod.running and pod.address and not pod.terminating]
        workers = {
            pod.name: f"{pod.address}:{self._ports.worker}"
            for pod in up
            if pod.role == names.WORKER and pod.name in control.crew.loadouts
        }
        control.pins = self._pins(up)
        control.crew.meet(workers)
        if control.paused != paused:
            control.paused = paused
        control.routers_are(
            {
                pod.name: f"{pod.address}:{self._ports.router_grpc}"
                for pod in up
                if pod.role == names.ROUTER
            }
        )
        control.wake()

    def listens(self, pods: Iterable[Pod]) -> bool:
        """Whether it has just begun, and has yet to hear of workers, or any router, that are ready.

        Until then nothing is known of them, which is no reason to say that they do not serve.
        """
        if time.monotonic() - self._began_at > _LISTENS:
            return False
        crew, ready = self.control.crew, [pod for pod in pods if pod.ready and not pod.terminating]
        unheard = any(p.name in crew.loadouts and crew.phase(p.name) is None for p in ready)
        routers = any(pod.role == names.ROUTER for pod in ready)
        return unheard or (routers and self.report_age() is None)

    def phases(self) -> dict[str, WorkerPhase | None]:
        """By worker, what it says of itself; None where it is not heard."""
        return {name: self.control.crew.phase(name) for name in self.control.crew.loadouts}

    def workers(self) -> list[Worker]:
        """Every worker of the budget."""
        control, crew = self.control, self.control.crew
        return [
            Worker(
                name=name,
                pool=control.seats[name].pool,
                phase=crew.phase(name),
                holds=crew.canonical(crew.states[name].loadout) if name in crew.states else (),
                assigned=held,
                wanted=control.due(name),
            )
            for name, held in crew.loadouts.items()
        ]

    def unmoved(self) -> float:
        """For how many seconds no worker's phase or loadout has changed."""
        shape = tuple((w.name, w.phase, w.holds, w.assigned) for w in self.workers())
        if shape != self._shape:
            self._shape, self._moved_at = shape, time.monotonic()
        return time.monotonic() - self._moved_at

    def report_age(self) -> float | None:
        """Seconds since a router last told of its load; None where none has."""
        newest = self.control.outcomes.newest
        return None if newest is None else time.monotonic() - newest

    def behind(self) -> list[str]:
        """Routers that have not taken the plan in force."""
        plan = self.control.plan.id
        return sorted(line.name for line in self.control.lines.values() if line.told != plan)

    def troubles(self) -> dict[str, str]:
        """By router that could not be told the plan, why."""
        lines = self.control.lines.values()
        return {line.name: line.trouble[:_TROUBLE] for line in lines if line.trouble}

    def silent(self) -> dict[str, str]:
        """By worker that is up and is not heard, why."""
        control = self.control
        lacks = self._spec.internal_tls is not None and control.reach.peers is None
        return {
            name: _NOTHING_TO_SHOW if lacks else why[:_TROUBLE]
            for name, why in control.crew.troubles.items()
        }

    def _pins(self, pods: Iterable[Pod]) -> dict[str, Loadout]:
        """What pods are pinned to by annotation; one that names an unknown variant is passed by."""
        known = {variant.name for variant in self._spec.variants}
        crew = self.control.crew
        return {
            pod.name: crew.canonical(pod.pin)
            for pod in pods
            if pod.pin and set(pod.pin) <= known and pod.name in crew.loadouts
        }

    def _may_assign(
        self, mark: Callable[[str, Loadout], Awaitable[None]]
    ) -> Callable[[str, Loadout], Awaitable[None]]:
        async def marked(name: str, loadout: Loadout) -> None:
            if self._task is None or self._task.cancelled():
                raise Unavailable("no longer in control")
            await mark(name, loadout)

        return marked


def gist(spec: ClusterSpec) -> str:
    """What is controlled, in one string: another one takes another controller."""
    exclude: Any = _UNCONTROLLED
    return json.dumps(spec.model_dump(mode="json", exclude=exclude), sort_keys=True)


def reach(cluster: ArgusCluster, settings: Settings) -> Reach:
    """How a cluster is reached: at its pods, which have no names of their own."""
    key = settings.control_key if cluster.spec.router.api_keys is not None else ""
    return Reach(
        control_key=key, tls=_router_tls(cluster, settings), peers=_peers(cluster, settings)
    )


def _router_tls(cluster: ArgusCluster, settings: Settings) -> Tls | None:
    if cluster.spec.router.tls is None:
        return None
    folder = settings.routers_tls
    host = names.router_host(cluster.metadata.name, cluster.metadata.namespace)
    if folder is None:
        return Tls(server_name=host)
    mine = folder / "tls.crt"
    shown = {"certificate": mine, "key": folder / "tls.key"} if mine.exists() else {}
    return Tls(ca=folder / "ca.crt", server_name=host, **shown)


def _peers(cluster: ArgusCluster, settings: Settings) -> Peers | None:
    if cluster.spec.internal_tls is None or settings.workers_tls is None:
        return None
    return Peers(settings.workers_tls, host_of(cluster.metadata.name, cluster.metadata.namespace))


def _begin(
    cluster: ArgusCluster, pods: Iterable[Pod], before: Mapping[str, Loadout]
) -> tuple[dict[str, Seat], dict[str, Loadout]]:
    """Every worker, and what it holds or begins with.

    That is what was known of it, or what its pod says it was told, or else the even spread.
    """
    name, spec = cluster.metadata.name, cluster.spec
    known = {variant.name for variant in spec.variants}
    told = {pod.name: pod.loadout for pod in pods}
    seats: dict[str, Seat] = {}
    loadouts: dict[str, Loadout] = {}
    for pool, spread in spread_cluster(spec).items():
        for number, fair in enumerate(spread):
            worker = names.worker(name, pool, number)
            seats[worker] = Seat(worker=worker, pool=pool)
            found = before.get(worker) or told.get(worker) or fair
            loadouts[worker] = found if set(found) <= known else fair
    return seats, loadouts


def _fits(plan: cluster_pb2.Plan | None, spec: ClusterSpec) -> bool:
    """Whether routers of this document could be told the plan."""
    if plan is None:
        return False
    pools = {pool.name for pool in spec.pools}
    variants = {variant.name for variant in spec.variants}
    return all(a.pool in pools and set(a.loadout) <= variants for a in plan.allocations)
