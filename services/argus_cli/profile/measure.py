"""Measures one piece of a profile on one worker. What is found is plain JSON, for the journal."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from argus_cli.profile.ask import Ask, Judge
from argus_cli.profile.remote import Picture, Remote
from argus_cli.profile.units import DrawUnit, StartUnit, SwitchUnit, TimeUnit
from argus_client.workers import watch
from argus_core.errors import ArgusError
from argus_core.profile.document import ProfiledLevel
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.convert import seconds
from argus_rpc.meanwhile import under_way

WARM_UP = 2
"""Batches drawn before any is timed."""


async def time_level(remote: Remote, unit: TimeUnit, ask: Ask) -> dict[str, Any]:
    """Seconds per image over the samples, and the memory they took."""
    await remote.hold(unit.level.variant)
    starts = await _starts(remote, unit, ask)
    async with _peak(remote) as peak:
        for _ in range(WARM_UP):
            await _batch(remote, unit, ask, starts)
        samples = [await _batch(remote, unit, ask, starts) for _ in range(ask.samples)]
    return {**_spread(samples), "memoryBytes": peak[0]}


async def time_switch(remote: Remote, unit: SwitchUnit, ask: Ask) -> dict[str, Any]:
    """Seconds to load a variant in the other's place, with nothing to finish first."""
    loads, read = [], 0
    for _ in range(ask.samples):
        await remote.hold(unit.other)
        state = await remote.hold(unit.variant)
        assert state is not None, "the other was held"
        loads.append(seconds(state.last_switch.load))
        read = max(read, state.last_switch.disk_bytes)
    return {**_spread(loads), "diskBytes": read}


async def judge_level(remote: Remote, unit: DrawUnit, ask: Ask, judge: Judge) -> list[float]:
    """Scores of the prompt's pictures, by seed."""
    await remote.hold(*_needed(ask, judge, unit.level))
    drawn = [
        await remote.draw(unit.level, unit.prompt, seed=seed, size=ask.sizes[0])
        for seed in ask.seeds
    ]
    references = await _references(remote, unit.prompt, ask.seeds, ask, judge)
    return await remote.score(ask.metric, unit.prompt, _images(drawn), references)


async def judge_starts(
    remote: Remote, unit: StartUnit, ask: Ask, judge: Judge
) -> dict[str, list[float]]:
    """Scores of the prompt's pictures begun from the origin's latents, by level and seed."""
    parent, prompt = unit.levels[0], unit.pair.prompt
    await remote.hold(*_needed(ask, judge, parent))
    steps = sorted({level.skipped_steps for level in unit.levels})
    drawn: dict[str, list[Picture]] = {level.name: [] for level in unit.levels}
    for seed in ask.start_seeds:
        size = ask.sizes[0]
        origin = await remote.draw(parent, unit.pair.origin, seed=seed, size=size, capture=steps)
        latents = {latent.step: latent for latent in origin.captured}
        for level in unit.levels:
            start = latents[level.skipped_steps]
            picture = await remote.draw(level, prompt, seed=seed, size=size, start=start)
            drawn[level.name].append(picture)
    references = await _references(remote, prompt, ask.start_seeds, ask, judge)
    return {
        level: await remote.score(ask.metric, prompt, _images(pictures), references)
        for level, pictures in drawn.items()
    }


def _needed(ask: Ask, judge: Judge, level: ProfiledLevel) -> tuple[str, ...]:
    best = ask.level(ask.best).variant
    if judge.needs_reference and best != level.variant:
        return (level.variant, best)
    return (level.variant,)


async def _references(
    remote: Remote, prompt: str, seeds: tuple[int, ...], ask: Ask, judge: Judge
) -> list[cluster_pb2.Image]:
    if not judge.needs_reference:
        return []
    best, size = ask.level(ask.best), ask.sizes[0]
    return _images([await remote.draw(best, prompt, seed=seed, size=size) for seed in seeds])


async def _starts(remote: Remote, unit: TimeUnit, ask: Ask) -> list[worker_pb2.Latent | None]:
    """What each picture of the batch begins from."""
    skipped, seeds = unit.level.skipped_steps, range(unit.batch)
    if not skipped:
        return [None for _ in seeds]
    return [
        (
            await remote.draw(
                unit.level, ask.prompts[0], seed=seed, size=unit.size, capture=[skipped]
            )
        ).captured[0]
        for seed in seeds
    ]


async def _batch(
    remote: Remote, unit: TimeUnit, ask: Ask, starts: list[worker_pb2.Latent | None]
) -> float:
    """Seconds per image of a batch that is asked for at once."""
    drawn = await asyncio.gather(
        *(
            remote.draw(unit.level, ask.prompts[0], seed=seed, size=unit.size, start=start)
            for seed, start in enumerate(starts)
        )
    )
    return max(picture.seconds for picture in drawn) / unit.batch


@asynccontextmanager
async def _peak(remote: Remote) -> AsyncIterator[list[int]]:
    """The most bytes that the worker tells of meanwhile, on its accelerator or of its process."""
    told = [0]

    async def follow() -> None:
        try:
            async with aclosing(watch(remote.address, remote.peers)) as states:
                async for state in states:
                    memory = state.memory
                    told[0] = max(told[0], memory.device_bytes or memory.host_bytes)
        except ArgusError:
            return  # Whoever draws hears of it too.

    async with under_way(follow()):
        yield told


def _spread(samples: list[float]) -> dict[str, Any]:
    return {
        "seconds": statistics.median(samples),
        "deviation": statistics.stdev(samples) if len(samples) > 1 else 0.0,
        "samples": len(samples),
    }


def _images(pictures: list[Picture]) -> list[cluster_pb2.Image]:
    return [picture.image for picture in pictures]
