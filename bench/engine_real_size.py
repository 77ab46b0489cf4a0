"""How long an SDXL of real size takes to load and to switch, on this machine.

    python bench/engine_real_size.py

An SDXL-shaped pipeline of random weights in bfloat16 is saved to disk and loaded by path, as a
variant is: from disk, again from host memory, and as a second variant of the same model. On a CPU
masters are what serves, so that a switch from host memory copies nothing. Writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from argus_core.spec import Variant
from support import engine_runs, random_models, results

RESULTS = Path(__file__).parent / "results" / "engine_real_size.json"


async def measure(folder: Path, *, device: str, tiny: bool) -> dict[str, Any]:
    """Seconds and bytes of each."""
    began = time.monotonic()
    path = random_models.sdxl(folder / "sdxl", dtype=torch.bfloat16, tiny=tiny)
    made = time.monotonic() - began
    variants = {
        name: Variant(name=name, model=str(path), family="sdxl", dtype="bfloat16")
        for name in ("sdxl", "sdxl-too")
    }
    engine = engine_runs.start(variants, device=device, slots=1)
    try:
        took: dict[str, Any] = {"made_and_saved": {"seconds": made}}
        held, took["from_disk"] = await engine_runs.switch(engine, "sdxl")
        _, took["resident"] = await engine_runs.switch(engine, "sdxl")
        _, took["another_of_the_same_model"] = await engine_runs.switch(engine, "sdxl-too")
        _, took["both"] = await engine_runs.switch(engine, "sdxl", "sdxl-too")
        took["weights_bytes"] = held["sdxl"].residency.bytes
    finally:
        await engine.stop(10.0)
    took["peak_host_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return took


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where 7 GB may lie meanwhile")
    parser.add_argument(
        "--tiny", action="store_true", help="only to try the script; writes nothing"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        took = asyncio.run(measure(Path(folder), device=options.device, tiny=options.tiny))
    for name, figures in took.items():
        print(f"{name}: {figures}")
    if not options.tiny:
        question = "how long does an SDXL of real size take to load and to switch?"
        results.write({"question": question, **results.origin(sys.argv), "took": took}, options.out)


if __name__ == "__main__":
    main()
