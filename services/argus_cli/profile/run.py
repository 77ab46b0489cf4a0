"""Has a crew do all pieces of a profile, phase by phase: timing alone, then drawing together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from argus_cli.profile import measure
from argus_cli.profile.ask import Ask, Judge
from argus_cli.profile.assemble import assemble
from argus_cli.profile.crew import Crew, Remotes
from argus_cli.profile.journal import Journal
from argus_cli.profile.remote import Remote
from argus_cli.profile.units import (
    DrawUnit,
    StartUnit,
    SwitchUnit,
    TimeUnit,
    draw_units,
    start_units,
    switch_units,
    time_units,
)
from argus_cli.profile.work import share_out
from argus_core.errors import ArgusError, InvalidRequest, Unavailable
from argus_core.profile.document import ArgusProfile
from argus_core.spec import ClusterSpec

AnyUnit = TimeUnit | SwitchUnit | DrawUnit | StartUnit
U = TypeVar("U", TimeUnit, SwitchUnit, DrawUnit, StartUnit)
L = TypeVar("L", bound=AnyUnit)


@dataclass(frozen=True, kw_only=True)
class Hands:
    """The workers of one GPU type."""

    device: str
    batches: tuple[int, ...]
    """Of those asked for, what all of them take at once."""
    workers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Watching:
    """Who is told how it goes."""

    planned: Callable[[Sequence[AnyUnit]], None] = field(default=lambda _units: None)
    """Hears of all pieces that are yet to be done."""
    began: Callable[[str], None] = field(default=lambda _phase: None)
    done: Callable[[AnyUnit], None] = field(default=lambda _unit: None)


async def profiled(
    ask: Ask, spec: ClusterSpec, crew: Crew, journal: Journal, watching: Watching | None = None
) -> ArgusProfile:
    """Measure what the journal does not hold yet; returns the whole profile.

    Raises:
        ArgusError: a piece cannot be measured, or no worker is left; what is done is kept.
    """
    remotes = Remotes(crew)
    try:
        run = _Run(ask, remotes, journal, watching or Watching())
        hands = await run.meet(spec)
        judge = await run.judge(hands)
        await run.all(hands, judge)
    finally:
        await remotes.close()
    return assemble(
        ask,
        journal.done,
        judge=judge,
        devices={gpu: found.device for gpu, found in hands.items()},
        batches={gpu: found.batches for gpu, found in hands.items()},
    )


class _Run:
    def __init__(self, ask: Ask, remotes: Remotes, journal: Journal, watching: Watching) -> None:
        self._ask, self._remotes, self._journal = ask, remotes, journal
        self._watching = watching

    async def meet(self, spec: ClusterSpec) -> dict[str, Hands]:
        """Wait for all workers, and see what they are, by GPU type."""
        types = {pool.name: pool.gpu_type for pool in spec.pools}
        met: dict[str, list[tuple[str, str, int]]] = {}
        for name in self._remotes.names:
            try:
                state = await (await self._remotes.of(name)).state()
            except Unavailable as error:
                missing = error  # Others may do without it.
                continue
            if state.pool not in types:
                known = ", ".join(types)
                problem = f"{name} is of pool {state.pool!r}; the document has {known}"
                raise InvalidRequest.one("--worker", problem)
            met.setdefault(types[state.pool], []).append((name, state.health.device, state.slots))
        if not met:
            raise missing
        return {gpu: self._hands(gpu, rows) for gpu, rows in met.items()}

    def _hands(self, gpu: str, rows: list[tuple[str, str, int]]) -> Hands:
        names, devices, slots = zip(*rows, strict=True)
        if len(set(devices)) > 1:
            problem = f"{gpu} workers have different devices: {', '.join(sorted(set(devices)))}"
            raise InvalidRequest.one("--worker", problem)
        batches = tuple(batch for batch in self._ask.batches if batch <= min(slots))
        return Hands(device=devices[0], batches=batches, workers=names)

    async def judge(self, hands: Mapping[str, Hands]) -> Judge:
        """What the workers say of the metric; that there is none is told before all else."""
        for name in (name for found in hands.values() for name in found.workers):
            try:
                remote = await self._remotes.of(name)
                # A worker that holds nothing is not ready to judge either.
                await remote.hold(self._ask.level(self._ask.best).variant)
                return await remote.judge(self._ask.metric)
            except Unavailable as error:
                last = error
        raise last

    async def all(self, hands: Mapping[str, Hands], judge: Judge) -> None:
        """Everything that is not done yet."""
        ask, everyone = self._ask, [name for found in hands.values() for name in found.workers]
        timed = {gpu: time_units(ask, gpu, found.batches) for gpu, found in hands.items()}
        switched = {gpu: switch_units(ask, gpu) for gpu in hands}
        drawn, started = draw_units(ask), start_units(ask)
        everything: list[AnyUnit] = [*chain(*timed.values()), *chain(*switched.values())]
        everything += [*drawn, *started]
        self._watching.planned(self._left(everything))
        for gpu, found in hands.items():
            self._watching.began(f"timing on {gpu}")
            await self._alone(timed[gpu], found.workers, measure.time_level)
            await self._alone(switched[gpu], found.workers, measure.time_switch)
        self._watching.began("drawing and judging")
        await self._shared(drawn, everyone, partial(measure.judge_level, judge=judge))
        self._watching.began("judging cached starts")
        await self._shared(started, everyone, partial(measure.judge_starts, judge=judge))

    async def _alone(
        self,
        units: Sequence[U],
        workers: Sequence[str],
        do: Callable[[Remote, U, Ask], Awaitable[Any]],
    ) -> None:
        """Have one worker do it while all others rest; another where that one is lost."""
        for worker in workers:
            try:
                await self._shared(units, [worker], do)
            except Unavailable as error:
                last = error
            else:
                return
        raise last

    async def _shared(
        self,
        units: Sequence[U],
        workers: Sequence[str],
        do: Callable[[Remote, U, Ask], Awaitable[Any]],
    ) -> None:
        async def by(worker: str, unit: U) -> Any:
            remote = await self._remotes.of(worker)
            try:
                return await do(remote, unit, self._ask)
            except ArgusError as error:
                remote.doubt()
                raise _named(error, unit) from error

        def kept(unit: U, found: Any) -> None:
            self._journal.keep(unit.key, found)
            self._watching.done(unit)

        await share_out(self._left(units), workers, by, kept)

    def _left(self, units: Sequence[L]) -> list[L]:
        return [unit for unit in units if unit.key not in self._journal.done]


def _named(error: ArgusError, unit: AnyUnit) -> ArgusError:
    """What a worker refuses names the prompt that it refused."""
    if not isinstance(error, InvalidRequest):
        return error
    prompt = unit.prompt if isinstance(unit, DrawUnit) else ""
    prompt = unit.pair.prompt if isinstance(unit, StartUnit) else prompt
    return InvalidRequest.one(f"prompt {prompt!r}", str(error)) if prompt else error
