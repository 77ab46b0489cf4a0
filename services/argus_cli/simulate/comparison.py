"""Policies side by side: every policy meets the same scenarios, one a seed.

Model: a task is a policy (or the bound) and a seed; tasks depend on nothing but that, so that any
number of processes gives the same results in the same order. Each process makes a seed's scenario
itself and keeps the last, as tasks come seed by seed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context

from argus_core.errors import InvalidRequest, Violation
from argus_core.policies.policy import Policy
from argus_core.simulator.bound import upper_bound
from argus_core.simulator.check import require_valid
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Scenario
from argus_core.simulator.series import Series, series_of
from argus_core.simulator.setting import setting_of
from argus_core.simulator.summary import Stretch, Summary, summarise

Make = Callable[[int], Scenario]
"""A seed's scenario; with several jobs it must be picklable."""
Policies = Mapping[str, Callable[[], Policy]]
"""What makes each policy, freshly, by the name it is shown under; picklable likewise."""

_BUCKETS, _PER_BUCKET = 100, 30
"""Of a run's series: about so many, but no more than leave each so many requests."""
_NICE = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Seconds of a bucket."""
_SETTING = "--policy"
"""The field of a refusal that means: not in this setting."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A policy in the scenario of a seed."""

    policy: str
    """Its name in the comparison."""
    seed: int
    summary: Summary
    series: Series


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What became of every policy."""

    seeds: tuple[int, ...]
    policies: tuple[str, ...]
    """Those that ran, in the order given; the others are measured against the first."""
    runs: tuple[Run, ...]
    """By policy, then by seed."""
    unable: Mapping[str, str]
    """Policies that cannot work in this setting, and why."""
    bounds: tuple[float, ...]
    """By seed: mean value that nobody can beat; empty where it was not asked for."""
    scenario: Scenario
    """Of the first seed."""

    def of(self, policy: str) -> tuple[Run, ...]:
        """A policy's runs, by seed."""
        return tuple(run for run in self.runs if run.policy == policy)


@dataclass(frozen=True, kw_only=True)
class _Task:
    policy: str | None
    """None for the bound."""
    seed: int


_Answer = Run | float | tuple[Violation, ...]
"""Of a task: a run, a bound, or what was wrong."""


def compare(
    make: Make,
    policies: Policies,
    seeds: Sequence[int],
    *,
    jobs: int = 1,
    told: Callable[[int, int], None] | None = None,
    within: Sequence[Stretch] | None = None,
    bound: bool = False,
) -> Comparison:
    """Let the scenarios of all seeds happen to all policies.

    Args:
        make: a seed's scenario.
        policies: one or more.
        seeds: one or more, none twice.
        jobs: processes; with 1 all runs in this one.
        told: the tasks that are done, and all that there are.
        within: only requests that arrive in one of these stretches count.
        bound: find the upper bound too. It is over the whole run and the first deadline, so it
            goes neither with `within` nor with retries.

    Raises:
        InvalidRequest: naming every field of the scenario that is wrong; `bound` where it says
            nothing; `--policies` where none can work.
    """
    scenario = make(seeds[0])
    require_valid(scenario)
    if bound and (within is not None or scenario.retries):
        raise InvalidRequest.one("bound", "says nothing of chosen stretches, nor of retries")
    unable = dict(_unable(scenario, policies))
    able = {name: make_one for name, make_one in policies.items() if name not in unable}
    if not able:
        reasons = "; ".join(unable.values())
        raise InvalidRequest.one("--policies", f"none can work here: {reasons}")
    names = [*able, *([None] if bound else [])]
    tasks = [_Task(policy=name, seed=seed) for seed in seeds for name in names]
    bench = _Bench(make, able, within)
    answers = dict(zip(tasks, _all(bench, tasks, jobs, told or _nobody), strict=True))
    runs = [answers[_Task(policy=name, seed=seed)] for name in able for seed in seeds]
    bounds = [answers[_Task(policy=None, seed=seed)] for seed in seeds if bound]
    return Comparison(
        seeds=tuple(seeds),
        policies=tuple(able),
        runs=tuple(run for run in runs if isinstance(run, Run)),
        unable=unable,
        bounds=tuple(value for value in bounds if isinstance(value, float)),
        scenario=scenario,
    )


def one(
    scenario: Scenario,
    name: str,
    policy: Policy,
    *,
    progress: Callable[[float], None] | None = None,
    within: Sequence[Stretch] | None = None,
) -> Run:
    """A scenario happens to a policy.

    Raises:
        InvalidRequest: naming every field of the scenario that is wrong, or `--policy`.
    """
    outcome = simulate(scenario, policy, clock=time.perf_counter, progress=progress)
    summary = replace(summarise(scenario, outcome, within=within), policy=name)
    series = replace(series_of(scenario, outcome, bucket=_bucket(scenario)), policy=name)
    return Run(policy=name, seed=scenario.seed, summary=summary, series=series)


class _Bench:
    """Does tasks, one after the other; keeps the last scenario."""

    def __init__(self, make: Make, policies: Policies, within: Sequence[Stretch] | None) -> None:
        self._make, self._policies, self._within = make, policies, within
        self._last: tuple[int, Scenario] | None = None

    def do(self, task: _Task) -> _Answer:
        """Errors are answers: they would not survive the way from another process."""
        try:
            scenario = self._scenario(task.seed)
            if task.policy is None:
                return upper_bound(scenario, clock=time.perf_counter).quality
            policy = self._policies[task.policy]()
            return replace(one(scenario, task.policy, policy, within=self._within), seed=task.seed)
        except InvalidRequest as error:
            return error.violations

    def _scenario(self, seed: int) -> Scenario:
        if self._last is None or self._last[0] != seed:
            self._last = seed, self._make(seed)
        return self._last[1]


def _all(
    bench: _Bench, tasks: Sequence[_Task], jobs: int, told: Callable[[int, int], None]
) -> list[_Answer]:
    """The answers, in the order of the tasks.

    Raises:
        InvalidRequest: a task's, as soon as one fails.
    """
    answers: dict[int, _Answer] = {}
    told(0, len(tasks))
    for at, answer in _here(bench, tasks) if jobs == 1 else _spread(bench, tasks, jobs):
        if isinstance(answer, tuple):
            raise InvalidRequest(answer)
        answers[at] = answer
        told(len(answers), len(tasks))
    return [answers[at] for at in range(len(tasks))]


def _here(bench: _Bench, tasks: Sequence[_Task]) -> Iterator[tuple[int, _Answer]]:
    for at, task in enumerate(tasks):
        yield at, bench.do(task)


def _spread(bench: _Bench, tasks: Sequence[_Task], jobs: int) -> Iterator[tuple[int, _Answer]]:
    """Over processes; what is not begun is given up when the caller stops listening."""
    executor = ProcessPoolExecutor(
        max_workers=min(jobs, len(tasks)),
        mp_context=get_context("spawn"),  # a fork would copy the threads of a progress bar
        initializer=_begin,
        initargs=(bench,),
    )
    with executor:
        try:
            futures = {executor.submit(_do, task): at for at, task in enumerate(tasks)}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            executor.shutdown(cancel_futures=True)


_here_bench: list[_Bench] = []
"""In a process of `_spread`: the bench that its tasks are done on."""


def _begin(bench: _Bench) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, and without a trace
    _here_bench[:] = [bench]


def _do(task: _Task) -> _Answer:
    return _here_bench[0].do(task)


def _unable(scenario: Scenario, policies: Policies) -> Iterator[tuple[str, str]]:
    """Policies that refuse the setting when they begin, and why."""
    setting = setting_of(scenario)
    for name, make_one in policies.items():
        try:
            make_one().start(setting)
        except InvalidRequest as error:
            if error.violations[0].field != _SETTING:
                raise
            yield name, error.violations[0].problem


def _bucket(scenario: Scenario) -> float:
    """Seconds of one."""
    arrivals = scenario.arrivals
    wanted = float(arrivals[-1]) / max(1.0, min(_BUCKETS, len(arrivals) / _PER_BUCKET))
    return next((nice for nice in _NICE if nice >= wanted), wanted)


def _nobody(done: int, of: int) -> None:
    """Told, and tells nobody."""
