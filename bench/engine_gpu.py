"""Our engine against plain diffusers on a GPU, on models of SDXL's and Flux's shapes.

    python bench/engine_gpu.py                # one GPU of 80 GB, under 25 minutes
    python bench/engine_gpu.py --dry-run      # tiny models on a CPU: only that the script runs

Random weights time like real ones. In one run: images per second, p50 and p99 at 512 and 1024
pixels and batches of 1 to 8, by diffusers' own call and by the engine, as it is and tuned (blocks
compiled, attention chosen); levels of fewer steps and of step caches; eight bits; switches cold,
from host memory and resident; peak memory, utilisation; the trace of one image (`--traces`), and
what of its time was outside kernels. A dry run traces and does not compile; its figures mean
nothing, and are not written.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from argus_core.spec import Variant
from argus_worker.engine import Engine
from support import engine_runs, random_models, results
from support.engine_runs import Wish

RESULTS = Path(__file__).parent / "results" / "engine_gpu.json"


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is measured."""

    family: str
    kind: str
    """Pipeline's class."""
    make: Callable[..., Path]
    dtype: str
    steps: int
    guidance: float
    levels: tuple[tuple[int, str], ...]
    """Steps and step cache of the levels besides."""


MODELS = {
    "sdxl": Model(
        family="sdxl",
        kind="StableDiffusionXLPipeline",
        make=random_models.sdxl,
        dtype="float16",
        steps=30,
        guidance=5.0,
        levels=((20, ""), (8, "")),
    ),
    "flux": Model(
        family="flux",
        kind="FluxPipeline",
        make=random_models.flux,
        dtype="bfloat16",
        steps=28,
        guidance=3.5,
        levels=((14, ""), (28, "magcache"), (28, "taylorseer")),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is done."""

    tiny: bool
    device: str
    sides: tuple[int, ...]
    batches: tuple[int, ...]
    rounds: int
    steps: int | None
    """Instead of the models' own."""
    backend: str | None = None
    """Of torch's compiler, instead of the usual."""


FULL = Scale(
    tiny=False, device="cuda", sides=(512, 1024), batches=(1, 2, 4, 8), rounds=4, steps=None
)
DRY = Scale(
    tiny=True, device="cpu", sides=(256,), batches=(1, 2), rounds=2, steps=4, backend="eager"
)


async def measure(name: str, folder: Path, scale: Scale, traces: Path) -> dict[str, Any]:
    """All of one model; the trace of an image goes to a folder."""
    model = MODELS[name]
    dtype = torch.float32 if scale.tiny else getattr(torch, model.dtype)
    path = str(model.make(folder / name, dtype=dtype, tiny=scale.tiny))
    plain = {"attention": "torch", "compile": "never"}
    kinds: dict[str, dict[str, Any]] = {
        name: plain,
        f"{name}-too": plain,
        f"{name}-tuned": {"compile": "always"},
        f"{name}-int8": {**plain, "quantization": "int8"},
    }
    variants = {
        other: Variant(
            name=other,
            model=path,
            family=model.family,
            dtype=str(dtype).removeprefix("torch."),
            **how,
        )
        for other, how in kinds.items()
    }
    engine = engine_runs.start(
        variants,
        device=scale.device,
        slots=max(scale.batches),
        backend=scale.backend,
        measures=True,
    )
    try:
        switches, speeds, levels = {}, [], []
        held, switches["cold"] = await engine_runs.switch(engine, name)
        _, switches["resident"] = await engine_runs.switch(engine, name)
        _, switches["shared"] = await engine_runs.switch(engine, f"{name}-too")
        _drop(engine)
        held, switches["host"] = await engine_runs.switch(engine, name)
        for wish in _wishes(model, scale):
            speed = await engine_runs.ours(
                engine, held[name], wish, device=scale.device, rounds=scale.rounds
            )
            speeds.append({"by": "engine", **asdict(wish), **asdict(speed)})
        for wish in _levels(model, scale):
            speed = await engine_runs.ours(
                engine, held[name], wish, device=scale.device, rounds=scale.rounds
            )
            levels.append({**asdict(wish), **asdict(speed)})
        largest = list(_wishes(model, scale))[-len(scale.batches)]
        trace = await _trace(engine, held[name], largest, traces / f"{name}.json")
        for kind in ("tuned", "int8"):
            other = f"{name}-{kind}"
            held, switches[kind] = await engine_runs.switch(engine, other)
            wishes = _wishes(model, scale) if kind == "tuned" else [largest]
            for wish in wishes:
                speed = await engine_runs.ours(
                    engine, held[other], wish, device=scale.device, rounds=scale.rounds
                )
                speeds.append({"by": kind, **asdict(wish), **asdict(speed)})
            if kind == "tuned":
                tuned = await _trace(engine, held[other], largest, traces / f"{other}.json")
        _drop(engine)
    finally:
        await engine.stop(10.0)
    for wish in _wishes(model, scale):
        speed = engine_runs.plain(
            path, wish, kind=model.kind, dtype=dtype, device=scale.device, rounds=scale.rounds
        )
        speeds.append({"by": "diffusers", **asdict(wish), **asdict(speed)})
    return {
        "model": name,
        "switches": switches,
        "speeds": speeds,
        "levels": levels,
        "trace": trace,
        "trace_tuned": tuned,
    }


def _wishes(model: Model, scale: Scale) -> Any:
    for side in scale.sides:
        for batch in scale.batches:
            steps = scale.steps or model.steps
            yield Wish(side=side, steps=steps, guidance=model.guidance, batch=batch)


def _levels(model: Model, scale: Scale) -> list[Wish]:
    side = scale.sides[-1]
    return [
        Wish(side=side, steps=scale.steps or steps, guidance=model.guidance, batch=1, cache=cache)
        for steps, cache in model.levels
    ]


def _drop(engine: Engine) -> None:
    """Have nothing on the device, with all in host memory still; nothing runs meanwhile."""
    for held in engine._resident:  # noqa: SLF001 - nobody but a measurement wants that
        held.residency.put_out()
    engine._masters.weights.show(())  # noqa: SLF001


async def _trace(engine: Engine, held: Any, wish: Wish, file: Path) -> dict[str, Any]:
    """Where one image's time went: of the device's kernels, and in all; Chrome shows the file."""
    device = held.family.modules["vae"].device.type
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=activities) as profiler:
        seconds = await engine_runs.draw(engine, held, wish, 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(file))
    told = profiler.key_averages()
    # On a CPU an operator's own time is what a kernel is elsewhere.
    own = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    kernels = sum(getattr(event, own) for event in told) / 1e6
    return {
        "seconds": seconds,
        "kernel_seconds": kernels,
        "overhead_share": 1 - kernels / seconds if kernels else None,
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="tiny models, on a CPU")
    parser.add_argument("--models", default="sdxl,flux")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--traces", type=Path, help="folder for traces; default: none are kept")
    options = parser.parse_args()
    if not options.dry_run and not torch.cuda.is_available():
        print("SKIPPED: there is no GPU here; --dry-run tries the script on tiny models")
        return
    scale, found = DRY if options.dry_run else FULL, []
    for name in options.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            traces = options.traces or Path(folder) / "traces"
            found.append(asyncio.run(measure(name, Path(folder), scale, traces)))
        for row in found[-1]["speeds"]:
            print(
                f"{name} {row['by']:9} {row['side']:5} px batch {row['batch']}:"
                f" {row['images_per_second']:.3f} images/s, p50 {row['p50']:.2f} s"
            )
        print(f"{name} switches: {found[-1]['switches']}")
    if options.dry_run:
        print("dry run: none of these figures means anything, none is written")
        return
    results.write(
        {
            "question": "how much quicker than plain diffusers is the engine on a GPU?",
            **results.origin(sys.argv),
            "device": torch.cuda.get_device_name(),
            "models": found,
        },
        options.out,
    )


if __name__ == "__main__":
    main()
