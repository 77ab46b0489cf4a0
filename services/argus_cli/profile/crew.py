"""The workers that measure: a pool's, started on this machine, or ones that run already.

Model: `remote` gives the connection to a worker where it listens now; a worker of this machine that
died comes back elsewhere, and its next `remote` waits for that.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import yaml

from argus_cli.local import command
from argus_cli.local.restart import RestartPolicy
from argus_cli.local.supervisor import ChildSpec, ChildState, Supervisor
from argus_cli.profile.remote import Remote
from argus_control.plans import Seat
from argus_core.errors import InvalidRequest, Unavailable
from argus_core.spec import ArgusCluster
from argus_rpc.peers import Peers

PATIENCE = 180.0
"""Seconds for a worker to come up, or back: importing torch takes long on a busy machine."""
POLL = 0.1
"""Seconds between looks."""
GRACE = 2.0
"""Seconds for running work when stopping; it is drawn again anyway."""


class Crew(Protocol):
    """See the module."""

    names: tuple[str, ...]
    peers: Peers | None
    """How they are met; None for plainly."""

    def address(self, name: str) -> str | None:
        """Where a worker listens; None while it does not."""
        ...

    def lost(self, name: str) -> str:
        """Why a worker will not come back; empty where it may."""
        ...


class Remotes:
    """Connections to a crew's workers, each opened when first used; close it."""

    def __init__(self, crew: Crew) -> None:
        self.names = crew.names
        self._crew = crew
        self._open: dict[str, Remote] = {}

    async def of(self, name: str) -> Remote:
        """The connection to a worker where it listens now.

        Raises:
            Unavailable: it is lost, or was not up in time.
        """
        address = await self._address(name)
        known = self._open.get(name)
        if known is None or known.address != address:
            if known is not None:
                await known.close()
            known = self._open[name] = Remote(address, self._crew.peers)
        return known

    async def close(self) -> None:
        """Close all."""
        for remote in self._open.values():
            await remote.close()

    async def _address(self, name: str) -> str:
        ends = time.monotonic() + PATIENCE
        while (address := self._crew.address(name)) is None:
            if reason := self._crew.lost(name):
                raise Unavailable(f"{name} is lost: {reason}")
            if time.monotonic() > ends:
                raise Unavailable(f"{name} was not up within {PATIENCE:g} s")
            await asyncio.sleep(POLL)
        return address


class Given:
    """Workers that run already, by `host:port`."""

    def __init__(self, addresses: Sequence[str], peers: Peers | None = None) -> None:
        """`peers`: how they are met; None for plainly."""
        self.names, self.peers = tuple(dict.fromkeys(addresses)), peers
        for address in self.names:
            if not address.rpartition(":")[2].isdigit():
                raise InvalidRequest.one("--worker", f"must be HOST:PORT, is {address!r}")

    def address(self, name: str) -> str | None:
        """The name itself."""
        return name

    def lost(self, name: str) -> str:  # noqa: ARG002 - whether it answers is seen when it is asked
        """Never known."""
        return ""


class Local:
    """Workers as processes of this machine, kept alive within bounds."""

    peers: Peers | None = None

    def __init__(self, document: ArgusCluster, folder: Path, *, slots: int) -> None:
        """`slots` is how many images a worker may be asked for at once."""
        pools = document.spec.pools
        self._seats = {
            f"{pool.name}-{i}": Seat(worker=f"{pool.name}-{i}", pool=pool.name)
            for pool in pools
            for i in range(pool.workers)
        }
        self.names = tuple(self._seats)
        self._pools = {pool.name: pool for pool in pools}
        self._folder, self._slots = folder, slots
        (folder / "cluster.yaml").write_text(_text(document))
        self.supervisor = Supervisor(policy=RestartPolicy())
        for name in self.names:
            log = folder / f"{name}.log"
            self.supervisor.start(
                ChildSpec(name=name, command=partial(self._command, name), log=log)
            )

    def address(self, name: str) -> str | None:
        """Where it listens now; None while it is away."""
        view = self.supervisor.views[name]
        return view.said["address"] if view.state == ChildState.UP else None

    def lost(self, name: str) -> str:
        """Why it was given up; empty where it was not."""
        view = self.supervisor.views[name]
        return view.reason if view.state == ChildState.GAVE_UP else ""

    async def stop(self) -> None:
        """End all; no process is left."""
        try:
            await self.supervisor.stop()
        finally:
            self.supervisor.kill()

    def _command(self, name: str) -> list[str]:
        options = ("--cluster", str(self._folder / "cluster.yaml"), "--slots", str(self._slots))
        seats = [*self._seats.values()]
        return command.worker(
            self._seats[name], *options, pools=self._pools, seats=seats, grace=GRACE
        )


@asynccontextmanager
async def local_crew(document: ArgusCluster, *, slots: int) -> AsyncIterator[Local]:
    """The document's workers on this machine, starting; gone when it ends."""
    with tempfile.TemporaryDirectory(prefix="argus-", ignore_cleanup_errors=True) as folder:
        crew = Local(document, Path(folder), slots=slots)
        try:
            yield crew
        finally:
            await crew.stop()


def _text(document: ArgusCluster) -> str:
    """The document without its latent store: what is measured here is nobody's to begin from."""
    spec = document.spec.model_copy(update={"latent_store": None})
    bare = document.model_copy(update={"spec": spec, "status": None})
    return yaml.safe_dump(bare.model_dump(mode="json", by_alias=True, exclude_none=True))
