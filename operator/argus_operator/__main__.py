"""`python -m argus_operator`: keeps ArgusClusters, from its arguments until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import kopf

from argus_control.lines import forever
from argus_core.errors import ArgusError, NotFound, Unavailable
from argus_operator import names
from argus_operator.gateway import Away, Gateway
from argus_operator.handlers import registry_of
from argus_operator.health import HealthServer, Heartbeats
from argus_operator.kinds import CLUSTER, OWNED, POD
from argus_operator.lease import Lease
from argus_operator.metrics import Metrics
from argus_operator.office import Office
from argus_operator.settings import Settings, from_environment
from argus_operator.watching import Watch
from argus_rpc import lifecycle
from argus_rpc.meanwhile import under_way

log = logging.getLogger(__name__)

_BEAT = 2.0
"""Seconds between the event loop's heartbeats."""
_HANGS = 30.0
"""Seconds without one after which it is said to hang."""
_ENDING = 5.0
"""Seconds that the watch of the API server has to end."""


def main() -> None:
    """Parse the arguments and run."""
    arguments = _parser().parse_args()
    os.environ["ARGUS_LOG_LEVEL"] = arguments.log_level.upper()
    try:
        settings = replace(
            from_environment(),
            namespaces=tuple(arguments.namespace or ()),
            health_port=arguments.health_port,
            metrics_port=arguments.metrics_port,
        )
        lifecycle.run("argus-operator", lambda stop: serve(settings, stop))
    except ArgusError as error:
        sys.exit(f"argus_operator: {error}")


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Wait for the lease, then keep clusters until `stop`.

    Raises:
        Unavailable: the lease was lost: whoever has it acts now.
    """
    heartbeats, metrics = Heartbeats(), Metrics()
    health = HealthServer(heartbeats, metrics.registry)
    await health.start({"health": settings.health_port, "metrics": settings.metrics_port})
    beating = asyncio.create_task(_beat(heartbeats))
    stopping = asyncio.create_task(stop.wait())
    try:
        # The lease has connections of its own, as it must not wait behind what many clusters ask.
        async with await Gateway.connect() as gateway, await Gateway.connect() as own:
            gateway.requests, gateway.throttled = metrics.requests, metrics.throttled
            own.outage = gateway.outage
            lease = Lease(
                own,
                namespace=settings.lease_namespace,
                name=settings.lease,
                identity=settings.identity,
            )
            # Before the lease: who waits for the kind renews none.
            if not await _done(_kind_is_known(gateway, settings), unless=stopping):
                return
            if not await _done(lease.acquire(), unless=stopping):
                return
            gateway.may_write = lambda: lease.in_force
            metrics.leader.set(1)
            office = Office(gateway, settings, metrics, heartbeats)
            try:
                await _act(office, lease, settings, stopping)
            finally:
                metrics.leader.set(0)
    finally:
        for task in (beating, stopping):
            task.cancel()
        await health.stop()


async def _done(step: Coroutine[Any, Any, None], *, unless: asyncio.Task[bool]) -> bool:
    """Do a step; False where it was given up, as the other task ended first."""
    doing = asyncio.create_task(step)
    await asyncio.wait({doing, unless}, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        return False
    doing.result()
    return True


async def _kind_is_known(gateway: Gateway, settings: Settings) -> None:
    """Wait until the API server knows ArgusClusters: kopf looks for the kind only once."""
    where = settings.namespaces[0] if settings.namespaces else None
    told = False
    while True:
        try:
            await gateway.list(CLUSTER, where)
        except NotFound:
            if not told:
                log.warning("the API server knows no ArgusClusters yet: install charts/argus-crds")
            told = True
        except Unavailable as error:
            if not isinstance(error, Away):  # Of that the outage tells.
                log.warning("%s", error)
        else:
            return
        await asyncio.sleep(_BEAT)


async def _act(
    office: Office, lease: Lease, settings: Settings, stopping: asyncio.Task[bool]
) -> None:
    # Each watch holds a connection for good, and there is one for each kind and namespace.
    async with await Gateway.connect(connections=0) as ears:
        ears.outage = office.outage
        watches = [
            Watch(
                ears,
                kind,
                where,
                selector=names.CLUSTER,
                hear=office.belongings,
                listed=office.listed,
            )
            for kind in (POD, *OWNED)
            for where in settings.namespaces or (None,)
        ]
        hearing = (forever(f"hearing of {w.what}", w.step, elsewhere=Away) for w in watches)
        async with under_way(*hearing):
            await _keep(office, lease, settings, stopping)


async def _keep(
    office: Office, lease: Lease, settings: Settings, stopping: asyncio.Task[bool]
) -> None:
    keeping = asyncio.create_task(lease.keep())
    flag = asyncio.Event()
    watching = asyncio.create_task(
        kopf.operator(
            registry=registry_of(office),
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            stop_flag=flag,
        )
    )
    try:
        await asyncio.wait({keeping, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Whoever acts next must find that we do no more.
        flag.set()
        late = await office.close()
        await asyncio.wait({watching}, timeout=_ENDING)
        if not keeping.done():
            keeping.cancel()
            # Where something of ours may still act, the lease is left to run out.
            if not late:
                await lease.release()
    if keeping.done() and not keeping.cancelled():
        keeping.result()
    # kopf takes the signals for itself; its watch ends without an error then, and so do we.
    if watching.done() and not watching.cancelled() and (error := watching.exception()):
        raise Unavailable(f"the watch of the API server has ended: {error!r}") from error


async def _beat(heartbeats: Heartbeats) -> None:
    while True:
        heartbeats.beat("event loop", within=_HANGS)
        await asyncio.sleep(_BEAT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="argus_operator", description=__doc__)
    parser.add_argument(
        "--namespace", action="append", help="whose clusters are kept; repeatable, none for all"
    )
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error")
    parser.add_argument("--health-port", type=int, default=8080)
    parser.add_argument("--metrics-port", type=int, default=9090)
    return parser


if __name__ == "__main__":
    main()
