"""What is sent and when, from what was typed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from argus_cli.load.sending import Sending
from argus_cli.simulate.traces import arrivals_of
from argus_client import Order
from argus_core.errors import InvalidRequest
from argus_core.simulator.arrivals import poisson
from argus_core.simulator.scenario import Floats, Ints

_CAPTIONS = 1000
"""Of the small family, where no prompts are given."""


def planned(
    *,
    trace: str | None,
    rate: float | None,
    duration: float | None,
    speed: float,
    prompts: Path | None,
    tenants: Mapping[str, float],
    like: Order,
    seed: int,
) -> list[Sending]:
    """All requests of a load, in their order.

    Args:
        trace: of arrivals or rates; None for random moments at `rate`.
        rate: mean requests a second; None for the trace's own.
        duration: seconds of the load; None for all of the trace.
        speed: times as fast as recorded.
        prompts: a file with one a line; None for captions.
        tenants: by name, their share of the requests; none is nobody in particular.
        like: what each request is, but for its prompt; its deadline must be set.
        seed: of what is left to chance.

    Raises:
        InvalidRequest: naming the option.
    """
    rng = np.random.default_rng(seed)
    times, ids = _moments(trace, rate, duration, speed, rng)
    texts = captions(seed) if prompts is None else lines("--prompts", prompts)
    which = rng.integers(0, len(texts), len(times)) if ids is None else ids % len(texts)
    names, weights = [*tenants] or [""], np.array([*tenants.values()] or [1.0])
    whose = rng.choice(len(names), len(times), p=weights / weights.sum())
    return [
        Sending(
            at=float(at),
            prompt=int(prompt),
            tenant=names[who],
            order=replace(like, prompt=texts[prompt]),
        )
        for at, prompt, who in zip(times, which, whose, strict=True)
    ]  # fmt: skip


def _moments(
    trace: str | None,
    rate: float | None,
    duration: float | None,
    speed: float,
    rng: np.random.Generator,
) -> tuple[Floats, Ints | None]:
    if trace is not None:
        long = None if duration is None else duration * speed
        times, ids = arrivals_of("--trace", trace, rate=rate, duration=long, rng=rng)
        return times / speed, ids
    if rate is None or duration is None:
        raise InvalidRequest.one("--trace", "give a trace, or --rate and --duration")
    if not rate > 0:
        raise InvalidRequest.one("--rate", f"must be above 0, not {rate:g}")
    return poisson(np.array([rate * speed]), duration, rng), None


def shares(option: str, given: Sequence[str]) -> dict[str, float]:
    """Tenants and their shares, of `NAME` or `NAME=SHARE`.

    Raises:
        InvalidRequest: naming the option.
    """
    found: dict[str, float] = {}
    for text in given:
        name, _, told = text.partition("=")
        try:
            share = float(told) if told else 1.0
        except ValueError:
            share = 0.0
        if not name or not 0 < share < float("inf"):
            raise InvalidRequest.one(option, f"must be NAME or NAME=SHARE, not {text!r}")
        found[name] = share
    return found


def lines(option: str, path: Path) -> list[str]:
    """The lines of a file that hold something.

    Raises:
        InvalidRequest: naming the option.
    """
    try:
        found = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest.one(option, f"{path}: cannot be read: {error}") from error
    if not found:
        raise InvalidRequest.one(option, f"{path}: holds no prompt")
    return found


def captions(seed: int) -> list[str]:
    """Captions of the small family."""
    from argus_shapes.captions import sample  # noqa: PLC0415 - its own package

    rng = random.Random(seed)
    return [sample(rng).caption for _ in range(_CAPTIONS)]
