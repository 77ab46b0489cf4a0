"""Runs policies by seeds, and tells each run in figures, view by view.

`argus compare` looks at a run in one way; an experiment wants the same run's bursts, what lies
between them, and the whole, without running it three times.

Model: a task is a policy (or the upper bound) and a seed, and depends on nothing else, so that any
number of processes gives the same figures. Seconds that a run took are of the process's own time.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from argus_core.errors import InvalidRequest
from argus_core.policies.policy import Policy
from argus_core.simulator.bound import upper_bound
from argus_core.simulator.engine import simulate
from argus_core.simulator.outcome import Outcome
from argus_core.simulator.scenario import Scenario
from argus_core.simulator.setting import setting_of
from argus_core.simulator.summary import Stretch, summarise
from support.views import View

Build = Callable[[int], Scenario]
"""A seed's scenario; picklable."""
Factory = Callable[[], Policy]
"""Makes a policy, freshly; picklable."""

FIELDS = (
    "violations", "violations_per_minute", "in_time_per_minute", "quality", "quality_in_time",
    "quality_worst_decile", "value", "refused", "latency_p99", "switching_seconds", "utilisation",
)  # fmt: skip
"""Of a summary: what is told of every view."""
BEST = "best_level"
"""Share of what was delivered that was drawn at the best level; told besides."""
_SETTING = "--policy"
"""The field of a refusal that means: not in this setting."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A policy and a seed."""

    build: Build
    seed: int
    make: Factory | None
    """None for the upper bound."""
    views: Mapping[str, View]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run's figures, by view."""

    figures: Mapping[str, Mapping[str, float | None]]
    levels: Mapping[str, Sequence[float]]
    """Share of what was delivered, by level."""
    seconds: float
    """That the run took."""


Answer = Told | float
"""Of a task: a run, or what nobody can beat."""


def unable(scenario: Scenario, policies: Mapping[str, Factory]) -> dict[str, str]:
    """Policies that refuse the setting when they begin, and why."""
    setting, found = setting_of(scenario), {}
    for name, make in policies.items():
        try:
            make().start(setting)
        except InvalidRequest as error:
            if error.violations[0].field != _SETTING:
                raise
            found[name] = error.violations[0].problem
    return found


def do(task: Task, progress: Callable[[float], None] | None = None) -> Answer:
    """Do a task; `progress` is told the share of it that is done.

    Raises:
        ValueError: the scenario cannot be simulated.
    """
    try:
        scenario = task.build(task.seed)
        if task.make is None:
            return upper_bound(scenario, clock=time.process_time).quality
        outcome = simulate(scenario, task.make(), clock=time.process_time, progress=progress)
    except InvalidRequest as error:  # which would not survive the way from another process
        raise ValueError(str(error)) from error
    within = {name: view(scenario) for name, view in task.views.items()}
    levels = {name: _levels(scenario, outcome, stretches) for name, stretches in within.items()}
    return Told(
        figures={
            name: {**_figures(scenario, outcome, stretches), BEST: levels[name][0]}
            for name, stretches in within.items()
        },
        levels=levels,
        seconds=outcome.seconds,
    )


def _figures(
    scenario: Scenario, outcome: Outcome, within: Sequence[Stretch] | None
) -> dict[str, float | None]:
    summary = summarise(scenario, outcome, within=within)
    return {field: getattr(summary, field) for field in FIELDS}


def _levels(
    scenario: Scenario, outcome: Outcome, within: Sequence[Stretch] | None
) -> Sequence[float]:
    arrivals, chosen = scenario.arrivals, outcome.level >= 0
    if within is not None:
        chosen = chosen & np.any([(arrivals >= a) & (arrivals < b) for a, b in within], axis=0)
    counts = np.bincount(outcome.level[chosen], minlength=len(scenario.levels))
    shares: list[float] = (counts / max(1, counts.sum())).tolist()
    return shares


@contextmanager
def processes(jobs: int) -> Iterator[Executor | None]:
    """So many processes; None, and all is done in this one, where one is enough."""
    if jobs == 1:
        yield None
        return
    executor = ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=get_context("spawn"),  # a fork would copy the threads of a progress bar
        initializer=_begin,
    )
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def answers(
    tasks: Sequence[Task], executor: Executor | None, progress: Callable[[float], None]
) -> Iterator[tuple[int, Answer]]:
    """Each task's number and answer, as they come; `progress` hears of tasks half done."""
    if executor is None:
        for at, task in enumerate(tasks):
            yield at, do(task, progress)
        return
    futures = {executor.submit(do, task): at for at, task in enumerate(tasks)}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, and without a trace
