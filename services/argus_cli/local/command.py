"""How a cluster's processes are started on this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence

from argus_control.plans import Seat
from argus_core.spec import Pool

_CPU = "cpu"
_BEHIND = ("nice", "-n", "10")
"""Workers that draw on the CPU would have router and predictor wait for it, who need it for
milliseconds at a time."""


def module(name: str, *options: str) -> list[str]:
    """Runs a module, which ends when we do."""
    return [sys.executable, "-m", name, *options, "--die-with-parent"]


def worker(
    seat: Seat,
    *options: str,
    pools: Mapping[str, Pool],
    seats: Sequence[Seat],
    grace: float,
) -> list[str]:
    """Runs the worker of a seat, on a port of its own choice.

    Args:
        seat: whose worker it is.
        options: besides those that follow from its pool.
        pools: by name.
        seats: all of this machine's, in the workers' order, by which accelerators are dealt.
        grace: seconds for running work when it is told to stop.
    """
    where = ("--name", seat.worker, "--pool", seat.pool, "--address", "127.0.0.1:0")
    device = _device(seat, pools, seats)
    how = ("--threads", str(pools[seat.pool].threads), "--device", device)
    command = module("argus_worker", *where, *how, "--grace", str(grace), *options)
    return [*_BEHIND, *command] if device == _CPU and shutil.which(_BEHIND[0]) else command


def _device(seat: Seat, pools: Mapping[str, Pool], seats: Sequence[Seat]) -> str:
    """The CPU, or the worker's own accelerator."""
    owners = [each for each in seats if pools[each.pool].gpu_type != "cpu"]
    return f"cuda:{owners.index(seat)}" if seat in owners else _CPU
