"""Whole clusters of real processes for tests, with the smallest model there is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import yaml

from argus_cli.document import load_document
from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_control.planning import Planning
from argus_core.errors import ArgusError
from argus_rpc.meanwhile import under_way

START = 180.0
"""Seconds for a cluster to be ready: importing torch twice takes long on a busy machine."""


def cluster_document(name: str, *, workers: int = 2, steps: int = 8, **spec: object) -> str:
    """A cluster of two variants, `first` and `second`, that are the same tiny model."""
    variants = ("first", "second")
    return yaml.safe_dump(
        {
            "apiVersion": "argus.dev/v1alpha1",
            "kind": "ArgusCluster",
            "metadata": {"name": name},
            "spec": {
                "slo": {"deadlineSeconds": 60},
                "defaultSize": {"width": 48, "height": 48},
                "pools": [{"name": "cpu", "workers": workers}],
                "variants": [
                    {"name": variant, "model": "builtin:shapes-tiny", "family": "shapes"}
                    for variant in variants
                ],
                "ladder": [
                    {
                        "name": f"{variant}-{steps}",
                        "variant": variant,
                        "steps": steps,
                        "guidanceScale": 2.0,
                        "quality": quality,
                        "seconds": {"cpu": 0.02 * steps},
                    }
                    for variant, quality in zip(variants, (1.0, 0.9), strict=True)
                ],
                **spec,
            },
        }
    )


@asynccontextmanager
async def running_cluster(
    folder: Path,
    document: str,
    *,
    planning: Planning | None = None,
    console: bool = False,
    secrets: Path | None = None,
) -> AsyncIterator[LocalCluster]:
    """A ready cluster within this process; checks that it leaves no process behind."""
    file = folder / "cluster.yaml"
    file.write_text(document)
    whole = LocalCluster(
        *load_document(file), planning=planning, console=console, base=folder, secrets=secrets
    )
    async with whole as cluster:
        yield cluster
        processes = [psutil.Process(v.pid) for v in cluster.supervisor.views.values() if v.pid]
    assert processes
    assert not [process for process in processes if process.is_running()]


@asynccontextmanager
async def drawing(address: str, clients: int = 3) -> AsyncIterator[None]:
    """Clients who ask for the next picture as soon as they have one."""

    async def ask(client: AsyncClient, seed: int) -> None:
        while True:
            with suppress(ArgusError):
                await client.draw(Order(prompt="a large red circle", seed=seed))

    async with (
        AsyncClient(address, retry=Retry(attempts=1)) as client,
        under_way(*(ask(client, seed) for seed in range(clients))),
    ):
        yield


class Command:
    """An `argus` command as a process of its own, with a runtime folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.output = ""

    @classmethod
    async def start(cls, folder: Path, *arguments: str) -> Command:
        """Run `argus` with these arguments; clusters are looked for in `folder` alone."""
        # Who was started in the background ignores interrupts, and so would all that it starts.
        heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        code = f"{heed}; from argus_cli.main import main; main()"
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", code, *arguments),
                env={**os.environ, "XDG_RUNTIME_DIR": str(folder), "COLUMNS": "200"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        )

    @property
    def descendants(self) -> list[psutil.Process]:
        """All processes that it has started, and those that they have."""
        return psutil.Process(self._process.pid).children(recursive=True)

    async def said(self, words: str, timeout: float = START) -> None:
        """Wait until it has printed `words`."""
        async with asyncio.timeout(timeout):
            while words not in self.output:
                line = await self._process.stdout.readline()
                assert line, f"ended without saying {words!r}: {self.output}"
                self.output += line.decode()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def ended(self, timeout: float = START) -> int:
        """Wait for its end; returns the exit status."""
        async with asyncio.timeout(timeout):
            rest, _ = await self._process.communicate()
        self.output += rest.decode()
        return self._process.returncode

    async def abandon(self) -> None:
        """End it, whatever it does."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


async def argus(folder: Path, *arguments: str) -> str:
    """Run an `argus` command to its end; returns what it printed."""
    command = await Command.start(folder, *arguments)
    status = await command.ended()
    assert status == 0, command.output
    return command.output
