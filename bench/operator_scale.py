"""What many clusters cost the operator: its memory, and requests to the API server.

Creates, changes and deletes ArgusClusters on a real API server (KUBECONFIG says which), with no
node, so that no pod runs; prints a table and writes JSON. `--clusters 1 100 1000`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from argus_operator.gateway import Conflict, Gateway
from argus_operator.kinds import CLUSTER, STATEFUL_SET

_METRICS, _HEALTH = 19191, 19190
_AT_ONCE = 16
_PATIENCE = 1800.0


async def main() -> None:
    """Measure each number of clusters, with an operator of its own each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--quiet", type=float, default=60.0, help="seconds to look at rest")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    async with await Gateway.connect() as gateway:
        for count in arguments.clusters:
            rows.append(await measured(gateway, count, arguments.quiet))
            print(json.dumps(rows[-1]), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


async def measured(gateway: Gateway, count: int, quiet: float) -> dict[str, Any]:
    """One number of clusters: made, at rest, changed, deleted."""
    operator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "argus_operator", "--namespace=default", "--log-level=warning"),
        *(f"--health-port={_HEALTH}", f"--metrics-port={_METRICS}"),
        env={**os.environ, "POD_NAME": f"bench-{count}", "ARGUS_LEASE": "bench"},
    )
    process = psutil.Process(operator.pid)
    try:
        began = time.monotonic()
        await _each(count, lambda n: _create(gateway, n))
        created = time.monotonic() - began
        await _until(lambda: _told(gateway, count, generation=1))
        made, spent = time.monotonic() - began, await _requests()
        await asyncio.sleep(quiet)
        at_rest = (await _requests() - spent) / quiet
        memory = process.memory_info().rss / 2**20
        began = time.monotonic()
        await _each(count, lambda n: gateway.merge(CLUSTER, "default", _name(n), _CHANGE))
        await _until(lambda: _told(gateway, count, generation=2))
        changed = time.monotonic() - began
        began = time.monotonic()
        await _each(count, lambda n: gateway.delete(CLUSTER, "default", _name(n)))
        await _until(lambda: _nothing_left(gateway))
        deleted = time.monotonic() - began
    finally:
        operator.terminate()
        await operator.wait()
    return {
        "clusters": count,
        "seconds_to_create": round(created, 1),
        "seconds_until_all_told": round(made, 1),
        "requests_each": round(spent / count, 1),
        "requests_a_second_at_rest": round(at_rest, 2),
        "memory_mib": round(memory),
        "seconds_to_change": round(changed, 1),
        "seconds_to_delete": round(deleted, 1),
    }


_CHANGE = {"spec": {"slo": {"deadlineSeconds": 31}}}


def _name(number: int) -> str:
    return f"bench-{number}"


async def _create(gateway: Gateway, number: int) -> None:
    level = {"name": "quick", "variant": "tiny", "steps": 8, "quality": 1, "seconds": {"cpu": 1}}
    document = {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {"name": _name(number)},
        "spec": {
            "pools": [{"name": "cpu", "workers": 1}],
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


async def _until(holds: Any) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not await holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long")
        await asyncio.sleep(1.0)


async def _told(gateway: Gateway, count: int, *, generation: int) -> bool:
    found = await gateway.list(CLUSTER, "default")
    told = [c for c in found if c.get("status", {}).get("observedGeneration", 0) >= generation]
    return len(told) >= count


async def _nothing_left(gateway: Gateway) -> bool:
    clusters = await gateway.list(CLUSTER, "default")
    return not clusters and not await gateway.list(STATEFUL_SET, "default")


async def _requests() -> float:
    """Of the operator to the API server so far, kopf's watches aside."""
    url = f"http://127.0.0.1:{_METRICS}/metrics"
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    lines = re.findall(r"^argus_operator_api_requests_total\{.*\} (.*)$", text, re.MULTILINE)
    return sum(map(float, lines))


if __name__ == "__main__":
    asyncio.run(main())
