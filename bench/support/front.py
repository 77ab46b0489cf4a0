"""A real router process over workers that draw nothing (`support.instant`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from support import small
from support.process import process

ROUTER, RELAY = "argus_router", "support.relay"
"""Modules: the router, and what only passes on."""


@asynccontextmanager
async def front(
    found: Mapping[str, Any],
    folder: Path,
    *,
    predictor: bool = False,
    loadouts: Mapping[str, str] | None = None,
    seconds: float = 0.0,
    slots: int = 64,
    module: str = ROUTER,
) -> AsyncIterator[tuple[psutil.Process, dict[str, str]]]:
    """The router, and what it announced.

    Args:
        found: the document.
        folder: for its file.
        predictor: whether there is a real one beside it.
        loadouts: of each worker by its name, with commas; None for as many workers as the document
            says, all with every variant.
        seconds: that a worker takes for an image, of which none needs a processor.
        slots: requests that a worker takes at once.
        module: what stands in for the router.
    """
    spec = found["spec"]
    every = ",".join(variant["name"] for variant in spec["variants"])
    held = loadouts or {f"w{n}": every for n in range(spec["pools"][0]["workers"])}
    file = small.written(found, folder)
    arguments: list[object] = [module, "--cluster", file, "--grpc", "127.0.0.1:0",
                               "--http", "127.0.0.1:0"]  # fmt: skip
    async with AsyncExitStack() as stack:
        for name, loadout in held.items():
            begun = process("support.instant", "--name", name, "--loadout", loadout,
                            "--seconds", seconds, "--slots", slots)  # fmt: skip
            address = (await stack.enter_async_context(begun))[1]["address"]
            arguments += ["--worker", address]
        if predictor:
            begun = process("argus_predictor", "--cluster", file, "--address", "127.0.0.1:0")
            address = (await stack.enter_async_context(begun))[1]["address"]
            arguments += ["--predictor", address]
        begun = process(*arguments, ARGUS_LOG_LEVEL="ERROR")
        child, told = await stack.enter_async_context(begun)
        yield psutil.Process(child.pid), told
