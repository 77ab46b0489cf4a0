"""What many clusters, and many workers, cost the operator: CPU, memory, and API requests.

Creates, changes and deletes ArgusClusters on a real API server (KUBECONFIG says which); prints a
line of JSON for each and writes all. `--clusters 1 100 1000` makes so many of one worker, with no
node, so that no pod runs. `--workers 1000` makes one cluster of so many: with kwok on the PATH,
which says of nodes and pods that they run; nobody answers at their addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from argus_operator.gateway import Conflict, Gateway
from argus_operator.kinds import CLUSTER, POD, STATEFUL_SET, Kind

_METRICS, _HEALTH = 19191, 19190
_AT_ONCE = 16
_PATIENCE = 1800.0


NODE = Kind("v1", "Node", "nodes")
_STAGES = Path(__file__).parent / "support" / "kwok.yaml"
_A_NODE = 500
"""Workers that a node of kwok's has room for."""


async def main() -> None:
    """Measure each number of clusters, with an operator of its own each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, nargs="*", default=[1, 100])
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    parser.add_argument("--quiet", type=float, default=60.0, help="seconds to look at rest")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    async with await Gateway.connect() as gateway:
        for count in arguments.clusters:
            rows.append(await measured(gateway, count, 1, arguments.quiet))
            print(json.dumps(rows[-1]), flush=True)
        for workers in arguments.workers:
            async with kwok(gateway, workers):
                rows.append(await measured(gateway, 1, workers, arguments.quiet))
            print(json.dumps(rows[-1]), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


@dataclass(frozen=True)
class Spent:
    """By the operator's process so far."""

    cpu: float
    """Seconds."""
    requests: dict[str, float]
    """By method and kind, kopf's watches aside."""

    @property
    def all(self) -> float:
        """Requests of all kinds."""
        return sum(self.requests.values())


async def measured(gateway: Gateway, count: int, workers: int, quiet: float) -> dict[str, Any]:
    """So many clusters of so many workers: made, at rest, changed, deleted."""
    operator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "argus_operator", "--namespace=default", "--log-level=warning"),
        *(f"--health-port={_HEALTH}", f"--metrics-port={_METRICS}"),
        env={**os.environ, "POD_NAME": f"bench-{count}", "ARGUS_LEASE": "bench"},
    )
    process = psutil.Process(operator.pid)
    try:
        await _until(_answers)
        began, before = time.monotonic(), await _spent(process)
        await _each(count, lambda n: _create(gateway, n, workers))
        created = time.monotonic() - began
        await _until(lambda: _told(gateway, count, generation=1), count)
        if workers > 1:
            await _until(lambda: _running(gateway, workers))
        made, told = time.monotonic() - began, await _spent(process)
        await asyncio.sleep(quiet)
        rested = await _spent(process)
        memory = process.memory_info().rss / 2**20
        began = time.monotonic()
        await _each(count, lambda n: gateway.merge(CLUSTER, "default", _name(n), _CHANGE))
        await _until(lambda: _told(gateway, count, generation=2), count)
        changed, again = time.monotonic() - began, await _spent(process)
        began = time.monotonic()
        await _each(count, lambda n: gateway.delete(CLUSTER, "default", _name(n)))
        await _until(lambda: _nothing_left(gateway), count)
        deleted = time.monotonic() - began
    finally:
        operator.terminate()
        await operator.wait()
    return {
        "clusters": count,
        "workers_each": workers,
        "seconds_to_create": round(created, 1),
        "seconds_until_all_told": round(made, 1),
        "cpu_seconds_until_all_told": round(told.cpu - before.cpu, 1),
        "requests_each": round((told.all - before.all) / count, 1),
        "requests_each_by_kind": {
            what: round((many - before.requests.get(what, 0)) / count, 1)
            for what, many in sorted(told.requests.items(), key=lambda item: -item[1])
        },
        "requests_a_second_at_rest": round((rested.all - told.all) / quiet, 2),
        "cpu_share_at_rest": round((rested.cpu - told.cpu) / quiet, 3),
        "memory_mib": round(memory),
        "seconds_to_change": round(changed, 1),
        "requests_each_to_change": round((again.all - rested.all) / count, 1),
        "seconds_to_delete": round(deleted, 1),
    }


@asynccontextmanager
async def kwok(gateway: Gateway, workers: int) -> AsyncIterator[None]:
    """Nodes of kwok's with room for so many workers, for as long as the block runs."""
    if shutil.which("kwok") is None:
        sys.exit("kwok is missing: scripts/cluster/build.sh kwok, and put it on the PATH")
    names = [f"bench-{number}" for number in range(-(-workers // _A_NODE) + 1)]
    for name in names:
        await gateway.create(NODE, None, _node(name))
    process = await asyncio.create_subprocess_exec(
        *("kwok", "--manage-all-nodes=true", "--node-lease-duration-seconds=40"),
        *(f"--config={_STAGES}", f"--kubeconfig={os.environ['KUBECONFIG']}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        for name in names:
            await gateway.delete(NODE, None, name)
        process.terminate()
        await process.wait()


def _node(name: str) -> dict[str, Any]:
    room = {"cpu": "100000", "memory": "100Ti", "pods": str(_A_NODE + 10)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": room, "capacity": room},
    }


_CHANGE = {"spec": {"slo": {"deadlineSeconds": 31}}}


def _name(number: int) -> str:
    return f"bench-{number}"


async def _create(gateway: Gateway, number: int, workers: int) -> None:
    level = {"name": "quick", "variant": "tiny", "steps": 8, "quality": 1, "seconds": {"cpu": 1}}
    document = {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {"name": _name(number)},
        "spec": {
            "pools": [{"name": "cpu", "workers": workers}],
            "variants": [{"name": "tiny", "model": "builtin:shapes-tiny", "family": "shapes"}],
            "ladder": [level],
        },
    }
    try:
        await gateway.create(CLUSTER, "default", document)
    except Conflict:
        return


async def _each(count: int, act: Any) -> None:
    """Act on every cluster, some at once."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await act(number)

    await asyncio.gather(*map(one, range(count)))


async def _until(holds: Callable[[], Awaitable[bool]], count: int = 1) -> None:
    """Ask seldom where much has to be listed: that costs the API server, too."""
    deadline = time.monotonic() + _PATIENCE
    while not await holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long")
        await asyncio.sleep(max(0.5, count / 100))


async def _told(gateway: Gateway, count: int, *, generation: int) -> bool:
    found = await gateway.list(CLUSTER, "default")
    seen = [int(c.get("status", {}).get("observedGeneration", 0)) for c in found]
    return sum(known >= generation for known in seen) >= count


async def _running(gateway: Gateway, workers: int) -> bool:
    pods = await gateway.list(POD, "default", selector="argus.dev/role=worker")
    phases: list[str] = [pod.get("status", {}).get("phase", "") for pod in pods]
    return phases.count("Running") >= workers


async def _nothing_left(gateway: Gateway) -> bool:
    clusters = await gateway.list(CLUSTER, "default")
    return not clusters and not await gateway.list(STATEFUL_SET, "default")


async def _answers() -> bool:
    try:
        return "argus_operator_leader 1.0" in await _metrics()
    except OSError:
        return False


async def _spent(process: psutil.Process) -> Spent:
    """Of the operator, as its process and its metrics tell."""
    requests = {
        f"{sample.labels['method']} {sample.labels['kind']}": sample.value
        for family in text_string_to_metric_families(await _metrics())
        for sample in family.samples
        if sample.name == "argus_operator_api_requests_total"
    }
    times = process.cpu_times()
    return Spent(times.user + times.system, requests)


async def _metrics() -> str:
    url = f"http://127.0.0.1:{_METRICS}/metrics"
    text: str = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    return text


if __name__ == "__main__":
    asyncio.run(main())
