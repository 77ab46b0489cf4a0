"""What a request costs: several generators' figures as one, and where a process's time goes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

Told = dict[str, Any]
SERVICES = ("router", "predictor", "workers", "generators")

_PARTS: Sequence[tuple[str, Sequence[str]]] = (
    ("spans", ("argus_rpc/tracing", "opentelemetry/")),
    ("metrics", ("argus_router/metrics", "argus_router/promises", "argus_router/load.",
                 "prometheus_client/")),
    ("logging", ("argus_rpc/logs", "argus_router/decided", "logging/")),
    ("recall", ("argus_router/recall",)),
    ("gRPC: call of the predictor", ("UnaryUnary",)),
    ("gRPC: calls of workers", ("UnaryStream", "StreamStream", "_StreamResponseMixin",
                                "grpc/aio/_call", "grpc/aio/_channel")),
    ("prediction", ("argus_router/predict", "argus_router/answer", "argus_router/latents")),
    ("admission and decision", ("argus_core/", "argus_router/waiting", "argus_router/view",
                                "argus_router/outlook", "argus_router/door", "argus_router/prices",
                                "argus_router/tenants", "argus_router/crew",
                                "argus_router/fetches")),
    ("dispatch and worker stream", ("argus_router/dispatch", "argus_router/attempt",
                                    "argus_router/fleet", "argus_router/faults",
                                    "argus_router/run", "argus_router/job",
                                    "argus_router/scoring", "argus_router/stream",
                                    "argus_router/free")),
    ("front: checks and answers", ("argus_router/", "argus_rpc/")),
    ("gRPC: threads that read and poll", ("threading.py",)),
    ("gRPC server, event loop", ("",)),
)  # fmt: skip
"""What time goes into, and frames that tell so: a sample is what its innermost frame says that
says anything. The first part that fits a frame counts; the last two fit what fits nothing."""
_SILENT = len(_PARTS) - 2
_TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*<')


def together(told: Sequence[Told]) -> Told:
    """Of several generators: sums, and of quantiles the greatest."""
    first = told[0]
    codes: Counter[str] = Counter()
    for one in told:
        codes.update(one["codes"])
    quantiles = {
        name: {q: max(one[name].get(q, 0.0) for one in told) for q in first[name]}
        for name in ("latency_ms", "taken_ms", "late_ms")
    }
    return {
        **quantiles,
        "codes": dict(codes),
        "answers": sum(one["answers"] for one in told),
        "seconds": max(one["seconds"] for one in told),
        "cpu_seconds": sum(one["cpu_seconds"] for one in told),
    }


def shares(folded: Iterable[str]) -> dict[str, float]:
    """Shares of a process's time by what it goes into, from stacks as py-spy folds them.

    A line is frames with `;` between, outermost first, and how often it was seen.
    """
    found: Counter[str] = Counter()
    for line in folded:
        stack, _, count = line.rpartition(" ")
        found[_part(stack.split(";"))] += int(count)
    whole = found.total() or 1
    return {name: found[name] / whole for name, _ in _PARTS}


def _part(frames: Sequence[str]) -> str:
    # Whatever is under way in a process runs within these.
    inner = [f for f in frames if "argus_rpc/lifecycle" not in f and "__main__" not in f]
    for frame in reversed(inner):
        for name, signs in _PARTS[:_SILENT]:
            if any(sign in frame for sign in signs):
                return name
    whole = ";".join(frames)
    return next(name for name, signs in _PARTS[_SILENT:] if any(sign in whole for sign in signs))


async def spy(pid: int, out: Path, *, kind: str, seconds: float) -> None:
    """Have py-spy look at a process for so long, and write what it saw.

    Raises:
        SystemExit: there is no py-spy, or it could not.
    """
    found = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        raise SystemExit("--profile needs py-spy (pip install py-spy)")
    child = await asyncio.create_subprocess_exec(
        found, "record", "--output", str(out), "--format", kind, "--pid", str(pid), "--rate", "250",
        "--duration", str(int(seconds)),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await child.communicate()
    if child.returncode:
        raise SystemExit(f"py-spy failed: {said.decode(errors='replace').strip()}")
    if kind == "flamegraph":
        _name(out)


def _name(flames: Path) -> None:
    """Its title is the command, with this machine's paths, until it has a better one."""
    named = _TITLE.sub(r"\g<1>The router's time<", flames.read_text("utf-8"))
    flames.write_text(named, "utf-8")


def chart(runs: Sequence[Told], path: Path, *, goal: Mapping[str, float], cores: int) -> None:
    """Processor time of a request by service and rate, and the latency that comes of it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    names = [_named(run) for run in runs]
    below = [0.0] * len(runs)
    for service in SERVICES:
        heights = [run["cpu_ms_each"].get(service, 0.0) for run in runs]
        left.bar(names, heights, bottom=below, label=service)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    full = [1000 * cores / run["rate"] for run in runs]
    left.plot(names, full, "k_", markersize=24, label=f"all of {cores} cores")
    left.set_ylim(0, 1.5 * max(below))
    left.set_ylabel("processor ms a request")
    left.tick_params(axis="x", rotation=90, labelsize=8)
    left.legend(fontsize=8, ncols=2)
    kinds = dict.fromkeys((run["what"], run["predictor"]) for run in runs)
    for kind in kinds:
        mine = [run for run in runs if (run["what"], run["predictor"]) == kind]
        label = _named(mine[0]).partition(" ")[0]
        for quantile, style in (("p50", "o-"), ("p99", "o--")):
            right.plot([run["rate"] for run in mine],
                       [run["added_ms"].get(quantile) for run in mine], style,
                       label=f"{label} {quantile}")  # fmt: skip
    for quantile, style in (("p50_ms", "-"), ("p99_ms", "--")):
        right.axhline(goal[quantile], color="grey", linestyle=style, linewidth=1)
    right.set_yscale("log")
    right.set_xlabel("requests/s")
    right.set_ylabel("added latency, ms (grey: the goal)")
    right.legend(fontsize=7, ncols=2)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _named(run: Told) -> str:
    kind = "relay" if run["what"] != "argus_router" else "router"
    return f"{kind}{'' if run['predictor'] else '/priors'} {run['rate']:g}/s"
