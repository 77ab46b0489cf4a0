"""A whole cluster as processes on this machine: router, predictor, workers, and a console.

Model: the supervisor keeps the processes alive; this tells each where the others listen. The
router keeps its ports over restarts, so that clients find it again. It learns of workers by a
file that is written anew, whole, whenever one comes or goes. The workers begin with the even
spread of variants, and `Control` moves them from there; a worker comes back with what it was last
assigned.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from argus_cli.local import command, runtime, targets
from argus_cli.local.guarded import guarded
from argus_cli.local.places import anchored, state_folder
from argus_cli.local.ports import free_port
from argus_cli.local.restart import RestartPolicy
from argus_cli.local.supervisor import ChildSpec, ChildState, ChildView, Supervisor
from argus_client import AsyncClient
from argus_control import archive
from argus_control.control import Control
from argus_control.history import History
from argus_control.lines import forever
from argus_control.metrics import Metrics
from argus_control.planning import Planning
from argus_control.plans import seats
from argus_core.errors import ArgusError, DeadlineMissed
from argus_core.spec import ArgusCluster
from argus_core.spread import spread_cluster
from argus_protos.v1 import cluster_pb2
from argus_rpc.meanwhile import call_off
from argus_rpc.metrics import Exposition

ROUTER, PREDICTOR, CONTROL, CONSOLE = "router", "predictor", "control", "console"
READY_TIMEOUT = 180.0
"""Seconds until all must be ready: a cold start of torch takes tens of them."""
POLL = 0.2
"""Seconds between looks at whether all is ready."""
KEEP = 5.0
"""Seconds between looks at whether the history of plans has something new to keep."""
GRACE = 5.0
"""Seconds for running work when stopping; less than the supervisor's patience (10 s)."""


class LocalCluster:
    """Starts on entering `async with`, ready once entered; leaves no process behind."""

    def __init__(
        self,
        text: str,
        document: ArgusCluster,
        *,
        on_change: Callable[[ChildView], None] = lambda _view: None,
        policy: RestartPolicy | None = None,
        planning: Planning | None = None,
        publish: bool = False,
        console: bool = False,
        base: Path | None = None,
        secrets: Path | None = None,
    ) -> None:
        """`text` is what the services read; `publish` lets other commands find the cluster.

        Without `planning` workers hold the even spread, or what they are assigned by hand. `base`
        is where the document's relative paths begin; None for the cluster's own folder, which
        lasts only where it is published. With `console` a page shows it. `secrets` holds files
        where Kubernetes has Secrets, see `guarded`.
        """
        self._text, self._document, self._on_change = text, document, on_change
        self._base, self._secrets = base, secrets
        self._policy, self._publish = policy or RestartPolicy(), publish
        placed = seats(spread_cluster(document.spec))
        self.workers = {seat.worker: loadout for seat, loadout in placed.items()}
        """The loadout that every worker begins with when it starts, by its name."""
        self._seats = {seat.worker: seat for seat in placed}
        self._pools = {pool.name: pool for pool in document.spec.pools}
        self._planning = planning or Planning()
        self.router: dict[str, str] = {}
        """Where the router listens: `grpc` and `http`; kept while it restarts."""
        self._shown, self.console = console, ""
        """URL of the page; kept while it restarts, and empty before it is up."""
        self._controlling: list[asyncio.Task[None]] = []
        self._kept = 0

    async def __aenter__(self) -> LocalCluster:
        if self._publish:
            runtime.refuse_twin(self._document.metadata.name)
        self._scratch = tempfile.TemporaryDirectory(prefix="argus-", ignore_cleanup_errors=True)
        self._folder = Path(self._scratch.name)
        name = self._document.metadata.name
        self._state = state_folder(name) if self._publish else self._folder
        text = anchored(self._text, self._document, self._base or self._state)
        (self._folder / "cluster.yaml").write_text(text)
        self.guarded = guarded(self._document, self._secrets, self._folder)
        self._write_workers()
        self._plans = self._state / "plans.jsonl"
        history = History(archive.read(self._plans))
        self._kept = history.settled
        registry = CollectorRegistry()
        self._exposition = Exposition(registry, "127.0.0.1", 0)
        self._metrics = {CONTROL: self._exposition.address}
        self._write_targets()
        self.control = Control(
            self._document.spec,
            self._seats,
            self.workers,
            self._planning,
            history=history,
            reach=self.guarded.reach,
            metrics=Metrics(registry).of(targets.NAMESPACE, name),
        )
        self.supervisor = Supervisor(policy=self._policy, on_change=self._changed)
        try:
            for name in (PREDICTOR, *self.workers, ROUTER):
                self.supervisor.start(self._child(name))
            self._controlling = [
                asyncio.create_task(self.control.run()),
                asyncio.create_task(forever("keeping the history of plans", self._keep)),
            ]
            await self._ready()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await call_off(self._controlling)
        with contextlib.suppress(ArgusError):
            self._keep_now()
        try:
            # The router first: what it has in flight still needs the workers.
            consoles = tuple(name for name in self.supervisor.views if name == CONSOLE)
            await self.supervisor.stop((ROUTER, *consoles), (PREDICTOR, *self.workers))
        finally:
            self.supervisor.kill()
            if self._publish:
                runtime.withdraw(self._document.metadata.name, runtime.this_process()[0])
            await asyncio.to_thread(self._exposition.close)
            self._scratch.cleanup()

    @property
    def addresses(self) -> dict[str, str]:
        """host:port of every worker that is up, by name."""
        views = self.supervisor.views
        return {
            name: views[name].said["address"]
            for name in self.workers
            if name in views and views[name].state == ChildState.UP
        }

    async def failed(self) -> None:
        """Wait until a child cannot be kept alive.

        Raises:
            GaveUp: always, in the end.
        """
        await asyncio.shield(self.supervisor.gave_up)

    async def _keep(self) -> None:
        await asyncio.sleep(KEEP)
        self._keep_now()

    def _keep_now(self) -> None:
        """Have what is new of the history on disk.

        Raises:
            ArgusError: it cannot be written.
        """
        history = self.control.history
        if self._kept != history.settled:
            archive.write(self._plans, history.records)
            self._kept = history.settled

    def _child(self, name: str) -> ChildSpec:
        log = self._folder / f"{name}.log"
        return ChildSpec(name=name, command=lambda: self._command(name), log=log)

    def _command(self, name: str) -> list[str]:
        cluster = ("--cluster", str(self._folder / "cluster.yaml"))
        if name == ROUTER:
            return command.module("argus_router", *cluster, *self._router_options())
        if name == PREDICTOR:
            state = str(self._state / "predictor")
            where = ("--address", self._predictor, "--state-dir", state)
            options = (*cluster, *where, "--metrics-port", "0", *self.guarded.internal)
            return command.module("argus_predictor", *options)
        if name == CONSOLE:
            http = self.console.removeprefix("http://") or "127.0.0.1:0"
            where = ("--router", self.router["grpc"], "--http", http)
            return command.module("argus_console", *where, *self.guarded.console())
        held = ("--loadout", ",".join(self.workers[name]))
        options = (*cluster, *held, "--metrics-port", "0", *self.guarded.internal)
        seats = [*self._seats.values()]
        return command.worker(
            self._seats[name], *options, pools=self._pools, seats=seats, grace=GRACE
        )

    def _router_options(self) -> list[str]:
        spec = self._document.spec.router
        http = self.router.get("http", f"http://127.0.0.1:{spec.http_port}")
        grpc = self.router.get("grpc", f"127.0.0.1:{spec.grpc_port}")
        where = ("--grpc", grpc, "--http", http.partition("://")[2])
        return [*self.beside, *self.guarded.router(), *where]

    @property
    def beside(self) -> list[str]:
        """Options of a router over these workers and this predictor, but for its addresses.

        For one beside the cluster's own; it hears of no plan.
        """
        options = ["--workers-file", str(self._folder / "workers.json")]
        options += self.guarded.internal
        return [*options, "--predictor", self._predictor, "--grace", str(GRACE)]

    @property
    def _predictor(self) -> str:
        """Where the predictor listens: chosen here, as the router must know beforehand."""
        if not hasattr(self, "_predictor_address"):
            self._predictor_address = f"127.0.0.1:{free_port()}"
        return self._predictor_address

    def _changed(self, view: ChildView) -> None:
        if view.state == ChildState.UP:
            self._measured(view)
        if view.name in self.workers:
            self._write_workers()
            self.control.crew.meet(self.addresses)
        if view.name == ROUTER and view.state == ChildState.UP:
            self.router = dict(view.said)
            self.control.router_is_up(self.router["grpc"])
            if self._shown and CONSOLE not in self.supervisor.views:
                self.supervisor.start(self._child(CONSOLE))
        if view.name == CONSOLE and view.state == ChildState.UP:
            self.console = view.said["http"]
        if self._publish and self.router:
            runtime.publish(self.running)
        self._on_change(view)

    @property
    def targets(self) -> Path:
        """The file that tells Prometheus what to scrape."""
        return self._state / "targets.json"

    def _measured(self, view: ChildView) -> None:
        """A process is up: it is scraped there, until another takes its place."""
        if view.name == CONSOLE:
            return  # It measures nothing.
        self._metrics[view.name] = view.said.get("metrics", view.said.get("http", ""))
        self._write_targets()

    def _write_targets(self) -> None:
        targets.write(self.targets, self._document.metadata.name, self._metrics)

    def _write_workers(self) -> None:
        known = self.addresses if hasattr(self, "supervisor") else {}
        rows = [{"worker": name, "address": address} for name, address in known.items()]
        path = self._folder / "workers.json"
        path.with_suffix(".part").write_text(json.dumps(rows))
        path.with_suffix(".part").replace(path)

    @property
    def running(self) -> runtime.Running:
        """By which commands find it."""
        pid, started = runtime.this_process()
        return runtime.Running(
            name=self._document.metadata.name,
            pid=pid,
            started=started,
            grpc=self.router["grpc"],
            http=self.router["http"],
            workers=self.addresses,
            console=self.console,
            internal_tls=str(self.guarded.internal_tls or ""),
            internal_name=self.guarded.internal_name,
        )

    async def _ready(self) -> None:
        waiting = asyncio.create_task(self._all_ready())
        failing = asyncio.create_task(self.failed())
        done, pending = await asyncio.wait(
            {waiting, failing}, timeout=READY_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        await call_off(pending)
        if not done:
            slow = [v.name for v in self.supervisor.views.values() if v.state != ChildState.UP]
            raise DeadlineMissed(
                f"the cluster was not ready within {READY_TIMEOUT:g} s; waiting for "
                f"{', '.join(slow) or 'workers to load'}"
            )
        for task in done:
            task.result()

    async def _all_ready(self) -> None:
        while not self.router or (self._shown and not self.console):  # noqa: ASYNC110 - bounded by READY_TIMEOUT
            await asyncio.sleep(POLL)
        guarded = self.guarded
        ours = AsyncClient(self.router["grpc"], api_key=guarded.api_key, tls=guarded.tls)
        async with ours as client:
            while not await self._workers_ready(client):  # noqa: ASYNC110
                await asyncio.sleep(POLL)

    async def _workers_ready(self, client: AsyncClient) -> bool:
        try:
            cluster = await client.describe()
        except ArgusError:
            return False
        for worker in cluster.workers:
            if worker.phase == cluster_pb2.WORKER_PHASE_FAILED:
                raise ArgusError(f"worker {worker.worker} cannot serve: {worker.reason}")
        ready = {w.worker for w in cluster.workers if w.phase == cluster_pb2.WORKER_PHASE_READY}
        return ready >= self.workers.keys()
