"""A whole router, put together."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from argus_core.choice import PricePolicy
from argus_core.errors import Unavailable
from argus_core.spec import ArgusCluster, ClusterSpec
from argus_protos.v1.control_pb2_grpc import add_ControlServiceServicer_to_server
from argus_protos.v1.images_pb2_grpc import add_ImageServiceServicer_to_server
from argus_router.control import Control
from argus_router.dispatch import Dispatcher
from argus_router.fetches import Fetches
from argus_router.fleet import Fleet
from argus_router.gate import Gate
from argus_router.guard import ControlGuard
from argus_router.images import Images
from argus_router.load import Load
from argus_router.metrics import Metrics
from argus_router.predict import Predictor
from argus_router.scoring import Scoring
from argus_router.service import Service
from argus_router.store import ImageStore
from argus_router.web import Front, protocol_log
from argus_rpc.doorman import Doorman
from argus_rpc.limits import Limits
from argus_rpc.peers import Peers
from argus_rpc.roster import Roster
from argus_rpc.server import Bounds, Server
from argus_rpc.tls import TlsFiles, grpc_credentials, ssl_context

_LAST_WORDS = 2.0
"""Seconds for answers on their way out when all work is over."""
_PROBERS = 100
"""Connections of those who probe."""
_OTHER_CALLS = 1000
"""Of watchers, probes, and requests that are about to be refused."""


class Router:
    """A whole router: `start` it, `stop` it."""

    def __init__(
        self,
        cluster: ArgusCluster,
        *,
        workers: Roster,
        predictor: str | None = None,
        grpc: str = "127.0.0.1:0",
        http: str = "127.0.0.1:0",
        probe: str | None = None,
        tls: TlsFiles | None = None,
        keys: Sequence[Path] = (),
        limits: Limits | None = None,
        peers: Peers | None = None,
    ) -> None:
        """Reads the files that it is given.

        Args:
            cluster: the document that it serves.
            workers: where they are.
            predictor: its address; None for priors only.
            grpc: `HOST:PORT` to listen on; port 0 takes a free one.
            http: likewise.
            probe: likewise, for `/healthz` and `/readyz` alone, of those who have no certificate
                to show and whom a front that is full must not turn away; None for nowhere.
            tls: for both fronts; None listens without.
            keys: files of API keys; none lets everybody in.
            limits: of slow clients.
            peers: how workers and predictor are met; None for plainly.

        Raises:
            InvalidRequest: a file cannot be read.
        """
        clock, rng, metrics = time.monotonic, random.Random(), Metrics(cluster.spec)
        self.dispatcher = Dispatcher(
            spec=cluster.spec,
            policy=PricePolicy(),
            fleet=lambda changed: Fleet(workers, clock=clock, changed=changed, peers=peers),
            clock=clock,
            fetches=Fetches(tell=metrics.fetched, turned=partial(metrics.part, "store")),
            tell=metrics.fault,
        )
        self._predictor = Predictor(
            cluster.spec,
            predictor,
            clock=clock,
            tell=partial(metrics.part, "predictor"),
            peers=peers,
        )
        self._scoring = Scoring(
            cluster.spec,
            workers=lambda: self.dispatcher.fleet,
            waiting=lambda: len(self.dispatcher.queues),
            label=self._predictor.label,
            freed=self.dispatcher.on_fleet_change,
            rng=rng,
            tell=metrics.judged,
        )
        self.dispatcher.looked = self._scoring.looked
        self.service = Service(
            cluster,
            dispatcher=self.dispatcher,
            predictor=self._predictor,
            load=Load(rng=rng),
            metrics=metrics,
            clock=clock,
            rng=rng,
            served=self._scoring.served,
        )
        self._grpc_host, self._http, self._probe = grpc.rpartition(":")[0], http, probe
        self._ssl = ssl_context(tls) if tls else None
        gate, limits = Gate(*keys), limits or Limits()
        self._server = Server(
            address=grpc,
            servicers=[
                (add_ImageServiceServicer_to_server, Images(self.service, gate, limits)),
                (add_ControlServiceServicer_to_server, Control(self.service, clock=clock)),
            ],
            services=["argus.v1.ImageService", "argus.v1.ControlService"],
            credentials=grpc_credentials(tls) if tls else None,
            interceptors=[ControlGuard(gate)],
            bounds=Bounds(
                connections=cluster.spec.router.max_connections,
                calls=_most_calls(cluster.spec),
                message=limits.body,
            ),
        )
        front = Front(self.service, ImageStore(clock=clock), gate=gate, limits=limits)
        most = cluster.spec.router.max_connections
        self._doorman = Doorman(_runner(front.app(), limits), most=most)
        self._prober = Doorman(_runner(front.probes(), limits), most=_PROBERS)
        self._tasks: list[asyncio.Task[None]] = []
        self.probe_url = ""
        """Where it is probed, once started; empty for nowhere."""

    async def start(self) -> tuple[str, str]:
        """Listen on both fronts; returns the gRPC address and the HTTP URL.

        Raises:
            Unavailable: an address cannot be had.
        """
        port = await self._server.start()
        try:
            host, http_port = await _listening(self._doorman, self._http, self._ssl)
            if self._probe is not None:  # Last: who is told that the router lives may come in.
                at, probe_port = await _listening(self._prober, self._probe, None)
                self.probe_url = f"http://{at}:{probe_port}"
        except Unavailable:
            await self._server.stop(0)
            raise
        scheme = "https" if self._ssl else "http"
        self._predictor.start()
        self.dispatcher.fleet.start()
        self._tasks = [
            asyncio.create_task(self._tell_when_ready(), name="readiness"),
            asyncio.create_task(self._scoring.run(), name="judging"),
        ]
        return f"{self._grpc_host}:{port}", f"{scheme}://{host}:{http_port}"

    async def stop(self, grace: float) -> None:
        """Refuse what comes, finish within `grace` seconds what was taken, and close."""
        for task in self._tasks:
            task.cancel()
        await self._server.set_serving(False)
        await self.service.drain(grace)
        await self._server.stop(_LAST_WORDS)
        await self._doorman.close()
        if self._probe is not None:
            await self._prober.close()
        await self.dispatcher.close()
        await self.dispatcher.fleet.close()
        await self._predictor.close()

    async def _tell_when_ready(self) -> None:
        await self.dispatcher.served.wait()
        await self._server.set_serving(True)


def _runner(app: web.Application, limits: Limits) -> web.AppRunner:
    return web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=limits.head,
        logger=protocol_log,
    )


async def _listening(
    doorman: Doorman, address: str, context: ssl.SSLContext | None
) -> tuple[str, int]:
    """The host and port that it listens on; raises Unavailable where it cannot."""
    host, _, port = address.rpartition(":")
    try:
        return host, await doorman.listen(host, int(port), context)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise Unavailable(f"cannot listen on {address}: {why}") from error


def _most_calls(spec: ClusterSpec) -> int:
    """Twice what may wait or be drawn, and some."""
    slots = sum(pool.workers * pool.slots for pool in spec.pools)
    return 2 * (spec.router.max_queued + slots) + _OTHER_CALLS
