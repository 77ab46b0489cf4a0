"""What dashboards and console show of a cluster that has something to tell.

    python bench/pictures.py --seconds 40

A whole cluster of real processes, its latents in a real Redis, is watched by a real Prometheus
while calm, a rush, and calm again follow each other, and then three things break for a while: a
worker, the predictor, and the latent store. Each dashboard's JSON, as it is installed, is then
asked of Prometheus query by query, as Grafana would, and drawn into docs/dashboards by matplotlib:
no Grafana is at work. The console's page is then used in a headless Chromium, where there is one,
and pictures of it go into docs/console. Fails if a panel that should show something is empty.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from argus_cli.document import load_document
from argus_cli.local.cluster import PREDICTOR, LocalCluster
from argus_control.mode import Mode
from argus_control.planning import Planning
from argus_dashboards.boards import BOARDS
from argus_dashboards.draw import text
from argus_shapes.captions import sample
from support import shots, small
from support.alarms import asked, hung, pid
from support.boards import Page, Shown
from support.boards import asked as board_of
from support.collector import collecting
from support.panels import draw
from support.prometheus import Prometheus, prometheus
from support.redis import RedisServer, redis_server

FOLDER = Path(__file__).resolve().parents[1] / "docs"
INTERVAL = 1.0
"""Seconds between scrapes."""
ELSEWHERE = {"operator"}
"""Boards of what runs in Kubernetes only."""
CAPTIONS = 80
CALM, RUSH = 3.0, 25.0
"""Images a second that are asked for."""


def document(url: str) -> dict[str, Any]:
    """The small family with cached starts, for two tenants; a sample of its images is judged."""
    found = small.document()
    found["metadata"]["name"] = "studio"
    spec = found["spec"]
    spec["slo"] = {"deadlineSeconds": 8, "target": 0.95, "goodQuality": 0.5, "qualityTarget": 0.9}
    spec["pools"][0]["workers"] = 3
    for variant in spec["variants"]:
        variant["minimumWorkers"] = 0
    spec["predictor"]["scoredShare"] = 0.2
    spec["latentStore"] = {"url": url}
    spec["tenants"] = [{"name": "default"}, {"name": "shop", "weight": 2}]
    return found


async def story(cluster: LocalCluster, store: RedisServer, seconds: float) -> AsyncIterator[str]:
    """What happens, one thing after the other; each lasts for a while once it is told."""
    rng = random.Random(1)
    prompts = [sample(rng).caption for _ in range(CAPTIONS)]
    address = cluster.router["grpc"]
    for rate in (CALM, RUSH, CALM):
        async with (
            asked(address, rate=rate * 2 / 3, prompts=prompts),
            asked(address, tenant="shop", rate=rate / 3, prompts=prompts),
        ):
            yield f"{rate:g} images a second"
            await asyncio.sleep(seconds)
            if rate == RUSH:
                os.kill(pid(cluster, "cpu-0"), signal.SIGKILL)
                yield "a worker dies"
                await asyncio.sleep(seconds / 4)
    async with asked(address, rate=CALM, prompts=prompts):
        with hung(pid(cluster, PREDICTOR)):
            yield "the predictor hangs"
            await asyncio.sleep(seconds / 4)
        await asyncio.sleep(seconds / 4)
        store.stop()
        yield "the latent store is down"
        await asyncio.sleep(seconds / 4)
        await store.start()
        await asyncio.sleep(seconds / 4)


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[LocalCluster, RedisServer, Prometheus]]:
    """The cluster, its store, and who scrapes it."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(redis_server(folder))
        collector = await stack.enter_async_context(collecting())
        os.environ.update(collector.environment)
        file = folder / "cluster.yaml"
        file.write_text(yaml.safe_dump(document(store.url)))
        planning = Planning(mode=Mode.AUTOMATIC, interval=2.0, steady=10.0)
        cluster = await stack.enter_async_context(
            LocalCluster(*load_document(file), planning=planning, console=True)
        )
        server = prometheus(folder, targets=cluster.targets, interval=INTERVAL)
        yield cluster, store, await stack.enter_async_context(server)


async def pictured(options: argparse.Namespace, console: Console) -> list[Page]:
    """All of it."""
    with tempfile.TemporaryDirectory() as name:
        async with watched(Path(name)) as (cluster, store, found):
            since = time.time()
            async for what in story(cluster, store, options.seconds):
                console.print(f"{time.time() - since:5.0f} s: {what}")
            shown = Shown(since=since, until=time.time(), interval=INTERVAL)
            pages = []
            for board in BOARDS:
                if board.name not in ELSEWHERE:
                    pages.append(await board_of(json.loads(text(board)), found, shown))
                    draw(pages[-1], options.out / "dashboards" / f"{board.name}.png")
            if shots.is_installed():
                await shots.shoot(cluster.console, options.out / "console")
            else:
                console.print(f"No pictures of the console: {shots.MISSING}")
            return pages


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="of each part of the story")
    parser.add_argument("--out", type=Path, default=FOLDER, help="whose folders get them")
    options, console = parser.parse_args(), Console()
    empty = {
        page.board["title"]: page.empty
        for page in asyncio.run(pictured(options, console))
        if page.empty
    }
    console.print(f"Pictures in {options.out}; empty: {empty or 'none'}")
    sys.exit(1 if empty else 0)


if __name__ == "__main__":
    main()
