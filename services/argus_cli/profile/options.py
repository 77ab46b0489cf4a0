"""From options and a document to what shall be measured; every error names its option."""

from __future__ import annotations

from pathlib import Path

from argus_cli import options
from argus_cli.profile.ask import Ask, best_of, models_of
from argus_cli.profile.pairs import pairs
from argus_cli.profile.prompts import MOST, read_prompts
from argus_cli.profile.prompts import captions as language
from argus_cli.profiles import read_profile
from argus_core.errors import InvalidRequest
from argus_core.profile.applying import size_of
from argus_core.profile.document import ArgusProfile, ProfiledLevel
from argus_core.spec import ArgusCluster, ClusterSpec

MOST_SEEDS, MOST_SAMPLES, MOST_BATCH, MOST_WORKERS = 100, 1000, 64, 64
START_SEEDS = 2
"""Latents of each pair, at most: each costs more than a picture."""


def asked(  # one argument an option
    spec: ClusterSpec,
    *,
    prompts: Path | None,
    captions: int,
    seeds: int,
    first_seed: int,
    starts: int,
    metric: str | None,
    batches: str,
    sizes: str | None,
    samples: int,
) -> Ask:
    """Read and check what was typed.

    Raises:
        InvalidRequest: naming the option.
    """
    drawn = _prompts(spec, prompts, captions)
    options.count("--seeds", seeds, most=MOST_SEEDS)
    options.at_least("--first-seed", first_seed, 0)
    options.at_least("--starts", starts, 0)
    best = best_of(spec)
    if not best:
        raise InvalidRequest.one("--file", "must have a level without skipped steps")
    cached = any(level.skipped_steps for level in spec.ladder)
    of = tuple(range(first_seed, first_seed + seeds))
    return Ask(
        ladder=tuple(ProfiledLevel.of(level) for level in spec.ladder),
        best=best,
        models=models_of(spec),
        sizes=(size_of(spec), *_sizes(sizes, size_of(spec))),
        batches=_batches(batches),
        samples=options.count("--samples", samples, most=MOST_SAMPLES),
        metric=metric or spec.predictor.metric,
        prompts=drawn,
        seeds=of,
        pairs=pairs(drawn, starts) if cached else (),
        start_seeds=of[:START_SEEDS],
    )


def of_ask(option: str, path: Path, ask: Ask) -> ArgusProfile:
    """The profile in a file, to which what is asked for can be added.

    Raises:
        InvalidRequest: naming the option, and what does not fit.
    """
    found = read_profile(path, option)
    pairs = {
        "ladder": (found.ladder, ask.ladder),
        "quality.metric": (found.quality.metric, ask.metric),
        "quality.best": (found.quality.best, ask.best),
    }
    if differ := [field for field, (one, other) in pairs.items() if one != other]:
        raise InvalidRequest.one(option, f"{path} is of another {', '.join(differ)}")
    return found


def sized(document: ArgusCluster, workers: int | None) -> ArgusCluster:
    """The document with so many workers in its first pool; as it is for None."""
    if workers is None:
        return document
    options.count("--workers", workers, most=MOST_WORKERS)
    first, *others = document.spec.pools
    pools = (first.model_copy(update={"workers": workers}), *others)
    spec = document.spec.model_copy(update={"pools": pools})
    return document.model_copy(update={"spec": spec})


def _prompts(spec: ClusterSpec, path: Path | None, count: int) -> tuple[str, ...]:
    if path is not None:
        return read_prompts("--prompts", path)
    if others := sorted({v.family for v in spec.variants} - {"shapes"}):
        problem = f"must be given: captions are for the small family, not for {', '.join(others)}"
        raise InvalidRequest.one("--prompts", problem)
    return language(options.count("--captions", count, most=MOST))


def _batches(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InvalidRequest.one("--batches", f"must be numbers such as 1,2,4, not {text!r}")
    found = sorted({options.count("--batches", int(part), most=MOST_BATCH) for part in parts})
    # Alone is what the document's seconds are of.
    return tuple(sorted({1, *found}))


def _sizes(text: str | None, default: str) -> list[str]:
    sides = [options.size("--sizes", part) for part in text.split(",")] if text else []
    parts = [f"{width}x{height}" for width, height in sides]
    return [part for part in dict.fromkeys(parts) if part != default]
