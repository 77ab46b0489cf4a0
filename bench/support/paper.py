"""The paper's own setting: eight workers, six levels of SDXL, three bursts in fourteen hours.

Published: the workers, their rates at each level, the levels' mean qualities, the similarities of
20,000 logged queries, the curve of arrivals, load times, and what seven policies made of it
(`PUBLISHED`). Not published, and chosen here:

- The truth of each prompt. `SPREAD` and `OWN` are calibrated by `bench/calibrate.py`, which says
  how and how well. Similarity tells nothing of the loss: the published shares of K, taken as they
  come, average 96.97, and NIRVANA, which follows them, is published as 96.6, read off a plot.
- The deadline: three times what an image takes at K = 0, unless the experiment varies it.
- How batches gain. Eight workers at the printed rates carry 377 images a minute at most, and the
  paper serves 370 of 391 at a quality that K = 25 does not have, so that rates are taken times
  1.2, which is what batching gained in its print. The flat flavour has that in every image's
  seconds; the batched one has it in batches of four, less in smaller ones.
- Speed and quality of the smaller models. SD-1.5 takes 1.78/6.10 of SDXL's time (the A100's
  profile); Small and Tiny have 35 % and 55 % fewer parameters than that (huggingface.co, blog
  "sd_distillation"), and a like model of 36 % fewer is told to take 36 % less time
  (huggingface.co, nota-ai, BK-SDM-Small), so that time is taken to go with parameters. Their mean
  quality is where the line through K = 20 and K = 25 has it at their speed: neither better nor
  worse than skipping more steps would be. To who does not look at prompts they are no gift; who
  does finds prompts that lose next to nothing by them either, so that qualities of a ladder with
  smaller models are not to be held against the published. `WORSE` has them much worse, so that
  who takes them needs a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from argus_core.planning.problem import LevelProfile
from argus_core.policies.nirvana import THRESHOLDS
from argus_core.simulator.arrivals import BURSTS as _MINUTES
from argus_core.simulator.scenario import Floats, Outage, Prompts, Scenario, Store
from argus_core.simulator.summary import Stretch
from support import data, truth

BURSTS: tuple[Stretch, ...] = tuple((60.0 * start, 60.0 * end) for start, end in _MINUTES)
"""Seconds of the three bursts, for `summarise(within=...)`."""
_EDGES = (0.0, *(edge for burst in BURSTS for edge in burst), 50_400.0)
LULLS: tuple[Stretch, ...] = tuple(zip(_EDGES[::2], _EDGES[1::2], strict=True))
"""Seconds of what lies between them."""
PLATEAU = 391.0
"""Requests a minute in a burst."""

QUALITIES = (1.0, 0.97046, 0.95808, 0.94378, 0.93235, 0.9152)
"""Mean over prompts at K = 0, 5, ... 25."""
SHARES = (0.225, 0.426, 0.213, 0.046, 0.032, 0.059)
"""Of queries by the K that their similarity allows: miss, 5, ... 25."""
RATES = (14.29, 15.87, 17.86, 20.41, 23.81, 28.57)
"""Of one worker at each K, to be taken times `UNIT`."""
UNIT = 1.65
"""Images a minute."""
GAIN = 1.2
"""Images a minute with batches, over those without."""
LOADS: Mapping[str, float] = {"sdxl": 47.0, "sd15": 21.7, "small": 15.0, "tiny": 11.8}
"""Seconds to load each variant."""

PUBLISHED: Mapping[str, tuple[float, float, float]] = {
    "clipper-ha": (182, 1.0, 211),
    "nirvana": (224, 0.966, 167),
    "sommelier": (256, 0.922, 135),
    "proteus": (311, 0.922, 80),
    "clipper-ht": (325, 0.898, 63),
    "pac": (335, 0.925, 55),
    "paper": (370, 0.94, 20),
}
"""In bursts: in time a minute, mean relative quality, violations a minute; read off plots."""
PUBLISHED_LULLS: Mapping[str, float] = {
    "paper": 1.0,
    "proteus": 1.0,
    "sommelier": 1.0,
    "nirvana": 0.966,
    "clipper-ht": 0.897,
}
"""Between bursts: mean relative quality; all serve what arrives."""
PUBLISHED_BATCHED: Mapping[str, tuple[float, float]] = {
    "paper": (368, 0.08),
    "proteus": (306, 0.18),
}
"""With batches, at high load: in time a minute, share of violations; printed."""

SPREAD = 2.0
"""Of prompts' factors; calibrated. Four prompts in ten then lose less than a point at K = 25;
DiffServe tells of two to four easy ones in ten."""
OWN = 0.3
"""Of what a level's factor has of its own; calibrated."""
WORSE: Mapping[str, float] = {"sd15": 0.85, "small": 0.78, "tiny": 0.7}
"""Mean quality of smaller models that are much worse than skipping steps would be."""

GPU = "a10g"
_WORKERS = 8
_BATCH = 4
_SMALLER: Mapping[str, float] = {
    "sd15": 1.78 / 6.1,
    "small": 0.65 * 1.78 / 6.1,
    "tiny": 0.45 * 1.78 / 6.1,
}
"""Time of an image, relative to K = 0."""
_PROMPTS = 20_000


def scenario(
    seed: int,
    *,
    multiple: float = 3.0,
    batched: bool = False,
    smaller: bool = False,
    beyond: Mapping[str, float] | None = None,
    outage: bool = False,
    rate: float | None = None,
    minutes: float | None = None,
    spread: float = SPREAD,
    own: float = OWN,
    error: float = truth.ERROR,
    sees_own: bool = False,
    folder: Path | None = None,
) -> Scenario:
    """The paper's setting.

    Args:
        seed: of arrivals, truth, predictions and luck.
        multiple: the deadline, in times of an image at K = 0.
        batched: whether the gain of batches is in batches, rather than in every image.
        smaller: whether the ladder has smaller models too.
        beyond: their mean qualities, such as `WORSE`; None for the line of the skipped steps.
        outage: whether the latent store goes down half-way, for good.
        rate: mean requests a second; None for as published.
        minutes: so many of the plateau's constant load alone; None for the published curve.
        spread: of the prompts' factors, see `truth.lognormal`.
        own: of the levels' own factors.
        error: of the predictor.
        sees_own: whether it sees the levels' own factors.
        folder: of recorded data; see `data.folder`.
    """
    rng = np.random.default_rng(seed)
    recorded = data.folder(folder) / "paper"
    curve, alike = recorded / "bursty_rate.csv", recorded / "similarity.csv"
    levels = ladder(batched=batched, smaller=smaller)
    found = data.trace(curve, "bursty", rng)
    if minutes is not None:
        found = data.curve(np.array([PLATEAU / 60]), 60 * minutes)
    arrivals, _ = data.arrivals(found, rate=rate, step=60.0, rng=rng)
    similarity = data.column(alike, "similarity")
    similarity = similarities(_PROMPTS, rng) if similarity is None else similarity
    true, predicted = truth.lognormal(
        means(levels, beyond),
        len(similarity),
        spread=spread,
        own=own,
        error=error,
        sees_own=sees_own,
        rng=rng,
    )
    start = int(rng.integers(len(similarity)))
    return Scenario(
        name=data.named("paper", curve, alike),
        levels=levels,
        workers=(GPU,) * _WORKERS,
        deadline=multiple * levels[0].seconds[GPU],
        arrivals=arrivals,
        prompt_of=(start + np.arange(len(arrivals))) % len(similarity),
        prompts=Prompts(truth=true, predicted=predicted, similarity=similarity),
        switch_seconds={v: s for v, s in LOADS.items() if any(le.variant == v for le in levels)},
        store=_store(float(arrivals[-1])) if outage else Store(),
        seed=seed,
    )


def ladder(*, batched: bool = False, smaller: bool = False) -> tuple[LevelProfile, ...]:
    """K = 0 to 25 of SDXL, and the smaller models where asked for."""
    gain = 1.0 if batched else GAIN
    batches = _batches() if batched else (1.0,)
    alone = [60 / (UNIT * gain * rate) for rate in RATES]
    levels = [
        LevelProfile(
            name=f"k{5 * i}",
            variant="sdxl",
            seconds={GPU: seconds},
            batches=batches,
            needs_start=i > 0,
        )
        for i, seconds in enumerate(alone)
    ]
    for name, times in _SMALLER.items() if smaller else ():
        seconds = {GPU: times * alone[0]}
        levels.append(LevelProfile(name=name, variant=name, seconds=seconds, batches=batches))
    return tuple(levels)


def means(
    levels: tuple[LevelProfile, ...], beyond: Mapping[str, float] | None = None
) -> tuple[float, ...]:
    """Mean quality of each level of the ladder.

    Args:
        levels: the ladder.
        beyond: those of the smaller models; None for the line through K = 20 and K = 25.
    """
    smaller = levels[len(QUALITIES) :]
    if beyond is not None:
        return (*QUALITIES, *(beyond[level.name] for level in smaller))
    seconds = [level.seconds[GPU] for level in levels]
    slope = (QUALITIES[4] - QUALITIES[5]) / (seconds[4] - seconds[5])
    line = (QUALITIES[5] - slope * (seconds[5] - level.seconds[GPU]) for level in smaller)
    return (*QUALITIES, *line)


def similarities(count: int, rng: np.random.Generator) -> Floats:
    """Similarities by the published shares, in no order, evenly spread between thresholds."""
    edges = np.array([0.3, *THRESHOLDS, 1.0])
    shares = np.array(SHARES) / sum(SHARES)
    band = rng.choice(len(shares), size=count, p=shares)
    return np.asarray(edges[band] + rng.random(count) * (edges[band + 1] - edges[band]))


def _batches() -> tuple[float, ...]:
    """Times of batches that gain `GAIN` when full, as much of it as the A100's do when not."""
    full = 1 - 1 / _BATCH
    gains = (1 + (GAIN - 1) * (1 - 1 / n) / full for n in range(1, _BATCH + 1))
    return tuple(n / gain for n, gain in enumerate(gains, start=1))


def _store(last: float) -> Store:
    return Store(outages=(Outage(start=last / 2, end=10 * last),))
