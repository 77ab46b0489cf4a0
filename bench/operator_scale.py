"""What many clusters, and many workers, cost the operator: CPU, memory, and API requests.

    python bench/operator_scale.py --clusters 1 100 1000
    python bench/operator_scale.py --clusters --running 100 --workers 1000

Builds and starts a Kubernetes without nodes of its own (minutes once, which takes Go; then
seconds), and ends it. On it, creates, changes and deletes ArgusClusters, with an operator that is
killed in between and begun anew. `--clusters 1 100` makes so many of one worker; no pod runs.
`--running 100` does so with kwok, which says of nodes and pods that they run; nobody answers at
their addresses. `--workers 1000` makes one cluster of so many workers, with kwok too.

Prints a line of JSON for each number and writes all, in which the rows of other runs are kept: a
row takes the place of the one of as many clusters and workers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from argus_cli.local.ports import free_port
from argus_operator.gateway import Conflict, Gateway
from argus_operator.kinds import CLUSTER, POD, STATEFUL_SET, Kind
from support import results
from support.control_plane import control_plane

RESULTS = results.FOLDER / "operator_scale.json"
_QUESTION = "What do many clusters, and many workers, cost the operator and the API server?"
_WHICH = ("clusters", "workers_each", "pods_run")
"""By which a row is told from the others."""

_METRICS, _HEALTH = free_port(), free_port()
_AT_ONCE = 16
_PATIENCE = 1800.0


NODE = Kind("v1", "Node", "nodes")
_STAGES = Path(__file__).parent / "support" / "kwok.yaml"
_A_NODE = 500
"""Pods that a node of kwok's has room for."""
_OTHERS = 2
"""Pods of a cluster that are no workers: a router and a predictor."""


def main() -> None:
    """Measure each number of clusters, with an operator of its own each time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", type=int, nargs="*", default=[1, 100])
    parser.add_argument("--running", type=int, nargs="*", default=[])
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    parser.add_argument(
        "--settle", type=float, default=180.0, help="seconds from the last change until it is rest"
    )
    parser.add_argument("--quiet", type=float, default=120.0, help="seconds to look at rest")
    parser.add_argument(
        "--uncollected",
        action="store_true",
        help="do not wait until Kubernetes has collected what was a deleted cluster's",
    )
    parser.add_argument(
        "--standing",
        action="store_true",
        help="on the Kubernetes of KUBECONFIG, which must know ArgusClusters and have none",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    kwok = ["kwok"] if asked.running or asked.workers else []
    with nullcontext() if asked.standing else control_plane(*kwok):
        asyncio.run(_measure(asked))


async def _measure(asked: argparse.Namespace) -> None:
    wanted = [
        *((count, 1, False) for count in asked.clusters),
        *((count, 1, True) for count in asked.running),
        *((1, workers, True) for workers in asked.workers),
    ]
    async with await Gateway.connect(os.environ.get("KUBECONFIG")) as gateway:
        for count, workers, runs in wanted:
            pods = count * (workers + _OTHERS) if runs else 0
            async with kwok(gateway, pods):
                found = await measured(gateway, count, workers, runs=runs, asked=asked)
            row = {"pods_run": runs, **found}
            print(json.dumps(row), flush=True)
            keep(row, asked.out)


def keep(row: dict[str, Any], out: Path) -> None:
    """Write a row in the place of the one of as many clusters and workers."""
    row = {**{name: row[name] for name in _WHICH}, **results.origin(sys.argv), **row}

    def which(one: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(one[name] for name in _WHICH)

    kept = [one for one in results.read(out).get("rows", ()) if which(one) != which(row)]
    rows = sorted([*kept, row], key=which)
    results.write({"question": _QUESTION, "rows": rows}, out)


@dataclass(frozen=True)
class Spent:
    """By the operator's process so far."""

    cpu: float
    """Seconds."""
    requests: dict[str, float]
    """By method and kind, kopf's watches aside."""
    server: float
    """Seconds of the API server's process."""

    @property
    def all(self) -> float:
        """Requests of all kinds."""
        return sum(self.requests.values())


class Operator:
    """An operator's process: `begin` it, and look at what it spends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Returns once it acts."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "argus_operator", "--namespace=default", "--log-level=warning"),
            *(f"--health-port={_HEALTH}", f"--metrics-port={_METRICS}"),
            env={**os.environ, "POD_NAME": self._name, "ARGUS_LEASE": "bench"},
        )
        await self.until(_answers)

    async def until(self, holds: Callable[[], Awaitable[bool]], count: int = 1) -> None:
        """Return once it holds; raises RuntimeError where the operator ends sooner."""

        async def still() -> bool:
            if self._process is not None and self._process.returncode is not None:
                raise RuntimeError("the operator has ended: is the machine too busy for it?")
            return await holds()

        await _until(still, count)

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def spent(self) -> Spent:
        """As its process and its metrics tell."""
        times = self._seen.cpu_times()
        requests = {
            f"{sample.labels['method']} {sample.labels['kind']}": sample.value
            for family in text_string_to_metric_families(await _metrics())
            for sample in family.samples
            if sample.name == "argus_operator_api_requests_total"
        }
        return Spent(times.user + times.system, requests, await _server_spent())

    @property
    def memory(self) -> int:
        """MiB that it has now."""
        return round(self._seen.memory_info().rss / 2**20)

    @property
    def _seen(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)


async def measured(
    gateway: Gateway, count: int, workers: int, *, runs: bool, asked: argparse.Namespace
) -> dict[str, Any]:
    """So many clusters of so many workers: made, at rest, met anew, changed, deleted."""
    operator = Operator(f"bench-{count}")
    try:
        await operator.begin()
        before, began = await operator.spent(), time.monotonic()
        await _each(count, lambda n: _create(gateway, n, workers))
        created = time.monotonic() - began
        await operator.until(lambda: _told(gateway, count, generation=1), count)
        made, told = time.monotonic() - began, await operator.spent()
        if runs:
            await operator.until(lambda: _running(gateway, count * workers), count)
        ran, running = time.monotonic() - began, await operator.spent()
        await asyncio.sleep(asked.settle)
        settled = await operator.spent()
        await asyncio.sleep(asked.quiet)
        rested, memory = await operator.spent(), operator.memory
        await operator.kill()
        began = time.monotonic()
        await operator.begin()
        await operator.until(lambda: _looked(count), count)
        met, anew, memory_anew = time.monotonic() - began, await operator.spent(), operator.memory
        began = time.monotonic()
        await _each(count, lambda n: gateway.merge(CLUSTER, "default", _name(n), _CHANGE))
        await operator.until(lambda: _told(gateway, count, generation=2), count)
        changed, again = time.monotonic() - began, await operator.spent()
        began = time.monotonic()
        await _each(count, lambda n: gateway.delete(CLUSTER, "default", _name(n)))
        await operator.until(_keeps_none)
        let_go, done = time.monotonic() - began, await operator.spent()
        if not asked.uncollected:
            await operator.until(lambda: _nothing_left(gateway), count)
        deleted, over = time.monotonic() - began, await operator.spent()
    finally:
        await operator.kill()
    return {
        "clusters": count,
        "workers_each": workers,
        "seconds_to_create": round(created, 1),
        "seconds_until_all_told": round(made, 1),
        **_cost("until_all_told", before, told, count),
        "requests_each_by_kind": {
            what: round((many - before.requests.get(what, 0)) / count, 1)
            for what, many in sorted(told.requests.items(), key=lambda item: -item[1])
        },
        **({"seconds_until_all_ran": round(ran, 1)} if runs else {}),
        **(_cost("until_all_ran", told, running, count) if runs else {}),
        "seconds_at_rest": asked.quiet,
        "requests_a_second_at_rest": round((rested.all - settled.all) / asked.quiet, 2),
        "requests_at_rest_by_kind": {
            what: round(many - settled.requests.get(what, 0))
            for what, many in sorted(rested.requests.items())
            if many > settled.requests.get(what, 0)
        },
        "cpu_share_at_rest": round((rested.cpu - settled.cpu) / asked.quiet, 3),
        "memory_mib": memory,
        "seconds_to_meet_all_anew": round(met, 1),
        **_cost("to_meet_all_anew", Spent(0.0, {}, rested.server), anew, count),
        "memory_mib_anew": memory_anew,
        "seconds_to_change": round(changed, 1),
        **_cost("to_change", anew, again, count),
        "seconds_to_let_go": round(let_go, 1),
        **_cost("to_let_go", again, done, count),
        **({} if asked.uncollected else {"seconds_to_delete": round(deleted, 1)}),
        **({} if asked.uncollected else _cost("to_delete", again, over, count)),
    }


def _cost(what: str, before: Spent, after: Spent, count: int) -> dict[str, float]:
    """CPU of the operator and requests for each cluster, and CPU of the API server meanwhile."""
    return {
        f"cpu_seconds_{what}": round(after.cpu - before.cpu, 1),
        f"requests_each_{what}": round((after.all - before.all) / count, 1),
        f"server_cpu_seconds_{what}": round(after.server - before.server, 1),
    }


@asynccontextmanager
async def kwok(gateway: Gateway, pods: int) -> AsyncIterator[None]:
    """Nodes of kwok's with room for so many pods, for as long as the block runs; 0 for none."""
    if not pods:
        yield
        return
    names = [f"bench-{number}" for number in range(-(-pods // _A_NODE) + 1)]
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


async def _looked(count: int) -> bool:
    """Whether the operator has looked at every cluster."""
    return (await _metrics()).count('state="budget"') >= count


async def _keeps_none() -> bool:
    return "argus_operator_clusters 0.0" in await _metrics()


async def _metrics() -> str:
    url = f"http://127.0.0.1:{_METRICS}/metrics"
    text: str = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    return text


async def _server_spent() -> float:
    """CPU seconds of the API server's process, as it says itself."""
    asked = await asyncio.create_subprocess_exec(
        *("kubectl", "get", "--raw", "/metrics"), stdout=asyncio.subprocess.PIPE
    )
    text, _ = await asked.communicate()
    for line in text.decode().splitlines():
        if line.startswith("process_cpu_seconds_total"):
            return float(line.split()[-1])
    raise RuntimeError("the API server does not say what it has spent")


if __name__ == "__main__":
    main()
