"""Runs as plain data for JSON: the figures, and all that is needed to get them again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from argus_cli.simulate.comparison import Comparison, Run
from argus_cli.simulate.figures import FIGURES, VALUE, Figure
from argus_cli.simulate.statistics import Interval, interval, paired
from argus_core.simulator.scenario import Floats, Scenario
from argus_core.simulator.series import Series

_PACKAGES = ("argus-serving", "numpy", "scipy", "highspy")


def run_record(command: str, scenario: Scenario, run: Run) -> dict[str, Any]:
    """One run; quality is None where nothing was delivered."""
    return {
        **origin(command),
        "scenario": facts_of(scenario),
        "policy": run.policy,
        "seed": run.seed,
        "summary": _summary(run),
        "series": _series(run.series),
    }


def comparison_record(command: str, comparison: Comparison) -> dict[str, Any]:
    """All runs, and per policy each figure's mean with its 95% interval over the seeds."""
    bound = _interval(interval(comparison.bounds))
    return {
        **origin(command),
        "scenario": facts_of(comparison.scenario),
        "seeds": list(comparison.seeds),
        "policies": {name: _policy(comparison, name) for name in comparison.policies},
        "unable": dict(comparison.unable),
        "bound": bound and {**bound, "by_seed": list(comparison.bounds)},
    }


def facts_of(scenario: Scenario) -> dict[str, Any]:
    """What a run rested on; of what was drawn by lot, that seed's."""
    arrivals = scenario.arrivals
    seconds = float(arrivals[-1]) if len(arrivals) else 0.0
    truth, told = scenario.prompts.truth, scenario.prompts.predicted
    return {
        "name": scenario.name,
        "requests": len(arrivals),
        "seconds": seconds,
        "requests_per_second": len(arrivals) / seconds if seconds else None,
        "deadline": scenario.deadline,
        "target": scenario.target,
        "workers": {gpu: scenario.workers.count(gpu) for gpu in dict.fromkeys(scenario.workers)},
        "levels": [
            {
                "name": level.name,
                "variant": level.variant,
                "seconds": dict(level.seconds),
                "quality": float(truth[:, i].mean()),
                "spread": float(truth[:, i].std()),
                "correlation": _correlation(truth[:, i], told[:, i]),
            }
            for i, level in enumerate(scenario.levels)
        ],
        "prompts": len(truth),
        "variation": scenario.variation,
        "switch_seconds": dict(scenario.switch_seconds),
        "interval": scenario.interval,
        "delay": scenario.delay,
        "retries": scenario.retries,
        "losses": len(scenario.losses),
    }


def text_of(record: Mapping[str, Any]) -> str:
    """As JSON."""
    return json.dumps(record, indent=1, allow_nan=False)


def write_record(record: Mapping[str, Any], path: Path) -> None:
    """As a JSON file."""
    path.write_text(text_of(record) + "\n", "utf-8")


def origin(command: str) -> dict[str, Any]:
    """Where figures come from: the command, today, versions, this machine."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "machine": {
            "system": platform.platform(terse=True),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def _policy(comparison: Comparison, name: str) -> dict[str, Any]:
    runs = comparison.of(name)
    first = comparison.of(comparison.policies[0])
    value = paired(_values(VALUE, runs), _values(VALUE, first))
    return {
        "figures": {f.field: _interval(interval(_values(f, runs))) for f in FIGURES},
        "value_less_first": _interval(value),
        "runs": [_summary(run) for run in runs],
    }


def _values(figure: Figure, runs: Sequence[Run]) -> list[float | None]:
    return [figure.of(run.summary) for run in runs]


def _interval(found: Interval | None) -> dict[str, Any] | None:
    return None if found is None else {"mean": found.mean, "low": found.low, "high": found.high}


def _summary(run: Run) -> dict[str, Any]:
    return {"seed": run.seed, **asdict(run.summary)}


def _series(series: Series) -> dict[str, Any]:
    return {
        "bucket": series.bucket,
        "start": _plain(series.start),
        "load": _plain(series.load),
        "in_time": _plain(series.in_time),
        "violations": _plain(series.violations),
        "quality": _plain(series.quality),
        "workers": {name: _plain(held) for name, held in series.workers.items()},
    }


def _plain(values: Floats) -> list[float | None]:
    return [float(f"{value:.6g}") if isfinite(value) else None for value in values.tolist()]


def _correlation(truth: Floats, told: Floats) -> float | None:
    """Of a level's predictions with its truth; None where either is the same for all prompts."""
    if np.ptp(truth) == 0 or np.ptp(told) == 0:
        return None
    return float(np.corrcoef(truth, told)[0, 1])
