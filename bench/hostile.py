"""Ten thousand requests of those who mean no good: whether the router stands, and keeps nothing.

    python bench/hostile.py --requests 10000

A real router process over workers that answer at once is sent fuzzed messages and fuzzed JSON, huge
headers, requests that come byte by byte, streams half closed, calls cancelled at any moment, and
deadlines of a millisecond, with honest requests between them (`support.hostile`). Prints what each
met with and writes JSON; ends with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from support import results, small
from support.assault import assault, connections, settled, target_of
from support.front import front

RESULTS = results.FOLDER / "hostile.json"
GROWTH = 64.0
"""MiB that the router may have more at the end than after the first tenth."""
QUIET = 15.0
"""Seconds within which all connections must be gone."""


async def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The attack."""
    with tempfile.TemporaryDirectory() as name:
        async with front(small.without_starts(), Path(name)) as (router, told):
            async with target_of(told) as target:
                with Progress(console=console) as bar:
                    task = bar.add_task("hostile requests", total=options.requests)
                    tell = lambda: bar.advance(task)  # noqa: E731
                    first = await assault(target, options.requests // 10, seed=1, tell=tell)
                    memory = [router.memory_info().rss / 2**20]
                    rest = options.requests - options.requests // 10
                    met = await assault(target, rest, seed=2, tell=tell)
                    memory.append(router.memory_info().rss / 2**20)
            await settled(lambda: not connections(router, target), QUIET)
            left = connections(router, target)
            stands = router.is_running() and router.status() != psutil.STATUS_ZOMBIE
    problems = first.problems + met.problems
    if memory[1] - memory[0] > GROWTH:
        problems.append(f"memory grew from {memory[0]:.0f} to {memory[1]:.0f} MiB")
    if left > 0:
        problems.append(f"{left} connections were left {QUIET:g} s later")
    if not stands:
        problems.append("the router ended")
    told_of = {name: dict((first.outcomes[name] + met.outcomes[name]).most_common())
               for name in met.outcomes}  # fmt: skip
    return {
        "requests": options.requests,
        "outcomes": told_of,
        "rss_mib": [round(value, 1) for value in memory],
        "problems": problems,
    }


def show(outcomes: dict[str, dict[str, int]]) -> Table:
    """What each attack met with."""
    table = Table("attack", "requests", "met with")
    for name, found in outcomes.items():
        said = ", ".join(f"{what} {count}" for what, count in found.items())
        table.add_row(name.replace("_", " "), str(sum(found.values())), said)
    return table


def main() -> None:
    """Attack, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options, console = parser.parse_args(), Console()
    found = asyncio.run(measure(options, console))
    question = "Does the router stand what no client should send?"
    results.write({"question": question, **results.origin(sys.argv), **found}, options.out)
    console.print(show(found["outcomes"]))
    console.print(f"Memory {found['rss_mib'][0]} to {found['rss_mib'][1]} MiB")
    for problem in found["problems"][:50]:
        console.print(problem, style="red", highlight=False)
    console.print(f"{len(found['problems'])} problems. Figures in {options.out}")
    sys.exit(1 if found["problems"] else 0)


if __name__ == "__main__":
    main()
