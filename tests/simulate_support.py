"""Small outlines, comparisons and boards for the tests of `argus simulate` and `argus compare`."""

from functools import partial

import numpy as np

from argus_cli.simulate.comparison import Comparison, Run, compare
from argus_cli.simulate.scenario import read_outline, scenario_of
from argus_core.policies.registry import POLICIES
from argus_core.simulator.series import IDLE, Series
from argus_core.simulator.summary import Summary
from simulator_support import scenario

PLAIN = {
    "trace": "constant",
    "rate": None,
    "duration": "20s",
    "speed": None,
    "slo": "2s",
    "workers": None,
    "pool": None,
    "file": None,
    "qualities": None,
    "spread": 0.4,
    "correlation": 0.7,
    "variation": 0.02,
    "switch": (),
    "interval": "10s",
    "retries": 0,
}
"""Some 330 requests to the small studio, as much as it carries at its best level."""


def outline(**changes):
    return read_outline(**{**PLAIN, **changes})


def compared(*names, seeds=(0, 1), changes=None, **more):
    make = partial(scenario_of, outline(**(changes or {})))
    return compare(make, {name: POLICIES[name] for name in names}, seeds, **more)


def summary(policy="argus", **changes):
    """A run of 100 requests in a minute, 90 in time at quality 0.9."""
    plain = {
        "policy": policy, "requests": 100, "minutes": 1.0, "in_time": 90,
        "in_time_per_minute": 90.0, "violations": 0.1, "violations_per_minute": 10.0, "late": 0.0,
        "dropped": 0.04, "refused": 0.06, "lost": 0.0, "quality": 0.9, "quality_in_time": 0.9,
        "quality_worst_decile": 0.7, "value": 0.81, "latency_p50": 1.0, "latency_p99": 1.9,
        "admitted_on_retry": None, "switching_seconds": 0.0, "switches": 0, "utilisation": 0.5,
        "seconds": 0.25,
    }  # fmt: skip
    return Summary(**{**plain, **changes})


def series(policy="argus", buckets=40):
    """Load that swings, a stretch in which nothing is delivered, one worker that loads."""
    start = np.arange(buckets) * 10.0
    load = 600 + 300 * np.sin(start / 40)
    late = np.where(load > 700, load - 700, 0.0)
    quality = np.where(load > 880, np.nan, 1 - late / 1000)
    loads = (np.arange(buckets) % 7 == 0) * 1.0
    return Series(
        policy=policy,
        bucket=10.0,
        start=start,
        load=load,
        in_time=load - late,
        violations=late,
        quality=quality,
        workers={"large": 3 - loads, "small": np.ones(buckets), "tiny": loads * 0, IDLE: loads},
    )


def run(policy="argus", seed=0, **changes):
    return Run(policy=policy, seed=seed, summary=summary(policy, **changes), series=series(policy))


def comparison(*names, seeds=(0, 1, 2), unable=None, bounds=()):
    """Each policy a little worse than the one before, each seed a little better."""
    runs = tuple(
        run(name, seed, violations=0.1 + i / 20 - seed / 100, value=0.81 - i / 10 + seed / 100)
        for i, name in enumerate(names)
        for seed in seeds
    )
    return Comparison(
        seeds=tuple(seeds),
        policies=names,
        runs=runs,
        unable=unable or {},
        bounds=tuple(bounds),
        scenario=scenario(np.linspace(0, 60, 100)),
    )
