"""Compiling what a denoiser repeats: its blocks, one graph for all of a class and for all sizes.

Weights are arguments of what is compiled, so a switch that hangs other tensors into the blocks, or
a likeness with LoRAs added, takes the code that there is. The only file that knows torch's
compiler, which takes seconds to import and counts by process: import it where it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import _dynamo, nn
from torch._dynamo.exc import TorchDynamoException
from torch._dynamo.utils import counters

from argus_worker.blocks import blocks

GRAPHS = 64
"""Of one block's code: models differ in widths and dtypes, and one row is apart from several.
Beyond that torch runs a block as it is."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What compiling took."""

    graphs: int = 0
    """Traced."""
    made: int = 0
    """Of them, those whose kernels no earlier process had left behind."""


def keep_in(folder: Path) -> None:
    """Have kernels kept in a folder, and taken from there; before anything is compiled.

    Whoever can write there can have this process run what they like.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Read when torch wants to know, not when it is imported; Triton's lie below unless told apart.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)


def compile_blocks(net: nn.Module, *, backend: str) -> int:
    """Have the blocks compiled when they are first called; how many there are."""
    _dynamo.config.recompile_limit = GRAPHS
    found = blocks(net)
    for block in found:
        block.compile(dynamic=True, backend=backend)
    return len(found)


def undo(net: nn.Module) -> None:
    """Have all blocks run as they are."""
    for module in net.modules():
        module._compiled_call_impl = None  # noqa: SLF001 - torch has no other way back


def is_compilers(error: BaseException) -> bool:
    """Whether the compiler failed, rather than what it compiles."""
    return isinstance(error, TorchDynamoException)


@contextmanager
def counted() -> Iterator[list[Compiled]]:
    """What was compiled meanwhile; in the list once it is over."""
    told: list[Compiled] = []
    before = _counts()
    yield told
    graphs, made = _counts()
    told.append(Compiled(graphs=graphs - before[0], made=made - before[1]))


def _counts() -> tuple[int, int]:
    seen: Any = counters
    lacking = seen["inductor"]["fxgraph_cache_miss"] + seen["inductor"]["fxgraph_cache_bypass"]
    return seen["stats"]["unique_graphs"], lacking
