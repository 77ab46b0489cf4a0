"""Which samples take the next step, by how long steps have taken; `argus_core.stepping` decides.

Owned by the engine's thread, but for `decoding`, which the decoder's thread enters, and `halted`,
which any may ask.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from argus_core.stepping import (
    Kind,
    StepTimes,
    Turn,
    company,
    hopeless,
    next_turn,
    wedged,
)
from argus_worker import batch
from argus_worker.job import Running


@dataclass(frozen=True, kw_only=True)
class _UnderWay:
    began: float
    usual: float | None


class Turns:
    """Measures steps and decodings, and tells whose turn it is."""

    def __init__(self, steps: StepTimes, *, floor: float, clock: Callable[[], float]) -> None:
        """`steps` begins with what the profile tells; `floor` is the least that is a halt."""
        self._steps, self._decodes = steps, StepTimes({}, pixels=1)
        self._floor, self._clock = floor, clock
        self._under_way: dict[str, _UnderWay] = {}
        """By what is done, a step or a decoding: both may be at once."""
        self._lock = threading.Lock()
        """Of what was learned of decodings."""
        self._present: batch.Key | None = None

    def take(self, running: Sequence[Running]) -> list[Running]:
        """Those of the running, at least one, whose turn it is to step together."""
        by_sample = {id(one.sample): one for one in running}
        groups = [
            sorted((by_sample[id(sample)] for sample in group), key=lambda one: one.job.deadline)
            for group in batch.groups(one.sample for one in running)
        ]
        keys = [batch.key(group[0].sample) for group in groups]
        chosen = next_turn(
            [self._turn(group) for group in groups],
            now=self._clock(),
            present=keys.index(self._present) if self._present in keys else None,
        )
        self._present = keys[chosen]
        return self._in_company(groups[chosen])

    def hopeless(self, one: Running) -> str:
        """Why the image cannot be in time; empty where it may be."""
        kind = kind_of([one])
        return hopeless(
            left=one.left,
            least=self._steps.least(kind),
            tail=self._least_tail(kind),
            time_left=one.job.deadline - self._clock(),
        )

    @contextmanager
    def stepping(self, group: Sequence[Running]) -> Iterator[None]:
        """Around a step, which is learned from unless it fails."""
        kind = kind_of(group)
        with self._watched("step", self._steps.usual(kind)) as began:
            yield
            self._steps.learn(kind, self._clock() - began)

    @contextmanager
    def decoding(self, one: Running) -> Iterator[None]:
        """Around the decoding of an image."""
        kind = kind_of([one])
        with self._lock:
            usual = self._decodes.usual(kind)
        with self._watched("decoding", usual) as began:
            yield
            with self._lock:
                self._decodes.learn(kind, self._clock() - began)

    def halted(self) -> str:
        """Why what is under way has come to a halt; empty where it may end yet. From any thread."""
        now = self._clock()
        for under_way in tuple(self._under_way.values()):
            since = now - under_way.began
            if reason := wedged(since=since, usual=under_way.usual, floor=self._floor):
                return reason
        return ""

    @contextmanager
    def _watched(self, what: str, usual: float | None) -> Iterator[float]:
        began = self._clock()
        self._under_way[what] = _UnderWay(began=began, usual=usual)
        try:
            yield began
        finally:
            del self._under_way[what]

    def _turn(self, group: Sequence[Running]) -> Turn:
        first = group[0]
        step = self._steps.usual(kind_of([first])) or 0.0
        return Turn(deadline=first.job.deadline, work=first.left * step + self._tail(first))

    def _in_company(self, group: list[Running]) -> list[Running]:
        first = group[0]
        count = company(
            left=first.left,
            tail=self._tail(first),
            time_left=first.job.deadline - self._clock(),
            seconds=[self._steps.usual(kind_of(group[: n + 1])) for n in range(len(group))],
        )
        return group[:count]

    def _tail(self, one: Running) -> float:
        with self._lock:
            return self._decodes.usual(kind_of([one])) or 0.0

    def _least_tail(self, kind: Kind) -> float:
        with self._lock:
            return self._decodes.least(kind)


def kind_of(group: Sequence[Running]) -> Kind:
    """What the time of a step of these depends on."""
    order = group[0].job.order
    guided = sum(one.sample.conditioning.negative is not None for one in group)
    return Kind(
        variant=order.held.variant,
        width=order.width,
        height=order.height,
        rows=len(group) + guided,
        cache=str(order.step_cache or ""),
    )
