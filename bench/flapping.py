"""Whether the control loop flaps: moves workers back and forth though the load does not.

    python bench/flapping.py --curves 20 --hours 24

Random load curves (slow waves, steps, bursts) are played to Argus's policy in virtual time. What
counts as flapping is told in `flaps`. Prints a table and writes the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from argus_core.planning.problem import LevelProfile
from argus_core.policies.argus import Argus
from argus_core.policies.policy import Duty, Floor
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Prompts, Scenario
from argus_core.simulator.summary import summarise

RESULTS = Path(__file__).parent / "results" / "flapping.json"
WORKERS = 8
LADDER = (("xl-50", "xl", 12.0), ("xl-25", "xl", 6.0), ("m-25", "m", 4.0), ("s-4", "s", 1.5))
"""Level, variant, seconds an image."""
WITHIN = 3
"""Intervals in which a variant's count must not reverse twice."""
MOVED = 0.05
"""Share by which the load must rise and fall to count as having reversed."""

Curve = NDArray[np.float64]
"""Images a second, minute by minute."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one curve showed."""

    seed: int
    requests: int
    turns: int
    moves: int
    """Turns at which a variant's count changed, over all variants."""
    reversals: int
    """Moves against the variant's move before."""
    swings: int
    """Pairs of reversals within three intervals, the load's own included."""
    flaps: int
    """Those that the load does not explain."""
    switches: int
    violations: float
    """Share of requests."""
    value: float
    """Mean quality over all requests, a violation counting as 0."""
    seconds: float


class Watched(Argus):
    """Argus, with a note of how many workers were to hold each variant after every turn."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[list[int]] = []

    def tick(self, crew: Sequence[Duty | None], floor: Floor) -> Sequence[Duty] | None:
        """As Argus does."""
        duties = super().tick(crew, floor)
        held = crew if duties is None else duties
        self.counts.append(
            [sum(d is not None and v in d.loadout for d in held) for v in self.setting.variants]
        )
        return duties


def random_curve(rng: np.random.Generator, hours: float) -> Curve:
    """Waves of one hour to a day, steps that last for hours, and bursts of some minutes."""
    minutes = np.arange(int(hours * 60))
    rate = np.full(len(minutes), rng.uniform(1.0, 2.2))
    for _ in range(rng.integers(1, 5)):
        period, phase = np.exp(rng.uniform(np.log(60), np.log(1440))), rng.uniform(0, 2 * np.pi)
        rate *= 1 + rng.uniform(0.05, 0.4) * np.sin(2 * np.pi * minutes / period + phase)
    for _ in range(rng.integers(2, 9)):
        rate[_stretch(rng, len(minutes), 30, 300)] *= rng.uniform(0.5, 1.8)
    for _ in range(rng.integers(3, 20)):
        rate[_stretch(rng, len(minutes), 1, 15)] *= rng.uniform(1.3, 2.5)
    return np.asarray(np.clip(rate, 0.05, WORKERS / LADDER[-1][2]))


def _stretch(rng: np.random.Generator, minutes: int, least: float, most: float) -> slice:
    start = int(rng.integers(minutes))
    return slice(start, start + int(rng.uniform(least, most)))


def scenario_of(seed: int, *, hours: float, interval: float) -> tuple[Scenario, Curve]:
    """Poisson arrivals along a random curve; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    curve = random_curve(rng, hours)
    counts = rng.poisson(curve * 60)
    minutes = np.repeat(np.arange(len(curve)), counts)
    arrivals = np.sort((minutes + rng.random(len(minutes))) * 60)
    truth = np.sort(rng.beta(6, 2, (400, len(LADDER))), axis=1)[:, ::-1]
    given = Scenario(
        name=f"flapping-{seed}",
        levels=tuple(
            LevelProfile(name=name, variant=variant, seconds={"gpu": seconds})
            for name, variant, seconds in LADDER
        ),
        workers=("gpu",) * WORKERS,
        deadline=30.0,
        arrivals=arrivals,
        prompt_of=rng.integers(0, len(truth), len(arrivals)),
        prompts=Prompts(truth=truth, predicted=truth),
        switch_seconds={"xl": 20.0, "m": 10.0, "s": 5.0},
        interval=interval,
        seed=seed,
    )
    return given, curve


def reversals(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Turns at which a count moved against its move before, each with the turn of that one."""
    found, last, direction = [], 0, 0
    for turn in range(1, len(counts)):
        step = counts[turn] - counts[turn - 1]
        if step:
            if step * direction < 0:
                found.append((last, turn))
            last, direction = turn, step
    return found


def swings(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Where a count reverses twice within `WITHIN` intervals: the first and last turn of each.

    Up, down and up again: three moves, of which the second and the third reverse the one before.
    The stretch begins with the first of the three.
    """
    turned = reversals(counts)
    return [
        (first, again) for (first, once), (_, again) in pairwise(turned) if again - once <= WITHIN
    ]


def reversed_between(rates: Sequence[float], first: int, last: int) -> bool:
    """Whether the load both rose and fell by more than `MOVED`, from turn `first` to `last`.

    It is looked at from `WITHIN` turns earlier on: what the first move answered came before it.
    """
    fell = rose = 0.0
    highest = lowest = rates[max(0, first - WITHIN)]
    for rate in rates[max(0, first - WITHIN) : last + 1]:
        highest, lowest = max(highest, rate), min(lowest, rate)
        fell, rose = max(fell, 1 - rate / highest), max(rose, rate / lowest - 1)
    return fell > MOVED and rose > MOVED


def flaps(counts: Sequence[int], rates: Sequence[float]) -> list[tuple[int, int]]:
    """Swings of a variant's count that the load does not explain.

    Args:
        counts: workers that were to hold the variant after each turn.
        rates: the true load at each turn, known to the curve alone; noise of arrivals is no
            excuse.
    """
    return [stretch for stretch in swings(counts) if not reversed_between(rates, *stretch)]


def play(seed: int, *, hours: float, interval: float) -> Figures:
    """One curve."""
    given, curve = scenario_of(seed, hours=hours, interval=interval)
    policy = Watched()
    outcome = simulate(given, policy, clock=time.perf_counter)
    turns = np.arange(1, len(policy.counts) + 1) * interval
    rates = curve[np.minimum(turns / 60, len(curve) - 1).astype(int)].tolist()
    by_variant = [list(counts) for counts in zip(*policy.counts, strict=True)]
    summary = summarise(given, outcome)
    return Figures(
        seed=seed,
        requests=summary.requests,
        turns=len(turns),
        moves=sum(int(np.count_nonzero(np.diff(counts))) for counts in by_variant),
        reversals=sum(len(reversals(counts)) for counts in by_variant),
        swings=sum(len(swings(counts)) for counts in by_variant),
        flaps=sum(len(flaps(counts, rates)) for counts in by_variant),
        switches=summary.switches,
        violations=summary.violations,
        value=summary.value or 0.0,
        seconds=summary.seconds,
    )


def play_all(
    seeds: Sequence[int],
    *,
    hours: float,
    interval: float,
    jobs: int,
    told: Callable[[Figures], None],
) -> list[Figures]:
    """All curves, so many at a time; `told` hears of each in turn."""
    one, found = partial(play, hours=hours, interval=interval), []
    with ProcessPoolExecutor(jobs) as pool:
        for figures in pool.map(one, seeds):
            found.append(figures)
            told(figures)
    return found


def _table(all_figures: Sequence[Figures]) -> Table:
    columns = ("seed", "requests", "moves", "reversals", "swings", "flaps", "switches")
    table = Table(*columns, "violations", "value", "s", title="Flapping")
    for f in all_figures:
        row = (str(getattr(f, name)) for name in columns)
        table.add_row(*row, f"{f.violations:.3%}", f"{f.value:.4f}", f"{f.seconds:.1f}")
    return table


def main() -> None:
    """Play, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--hours", type=float, default=24.0, help="virtual, of each")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two turns")
    parser.add_argument("--jobs", type=int, default=1, help="curves at a time")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    console = Console()
    found = play_all(
        range(options.curves),
        hours=options.hours,
        interval=options.interval,
        jobs=options.jobs,
        told=lambda f: console.print(f"curve {f.seed}: {f.flaps} flaps in {f.moves} moves"),
    )
    console.print(_table(found))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "command": " ".join(["python", *sys.argv]),
        "python": platform.python_version(),
        "interval": options.interval,
        "hours": options.hours,
        "flaps": sum(f.flaps for f in found),
        "curves": [asdict(f) for f in found],
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
