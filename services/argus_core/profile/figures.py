"""Qualities of a profile: each prompt's at each level, and their means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from argus_core.profile.document import ArgusProfile, Start
from argus_core.quality import relative

USELESS = "far"
"""Relation of starts that no index would offer; means leave them out."""


def qualities(profile: ArgusProfile) -> tuple[tuple[float, ...], ...]:
    """Quality, 0 to 1, by prompt and by level of the ladder, both in the profile's order.

    At a level with skipped steps it is the mean over the prompt's starts, and the level's mean
    where the prompt has none.
    """
    by_level, means = _by_level(profile), priors(profile)
    return tuple(
        tuple(
            _share(by_level[level.name].get(row.prompt, means[level.name]))
            for level in profile.ladder
        )
        for row in profile.quality.prompts
    )


def priors(profile: ArgusProfile) -> dict[str, float]:
    """By level: the mean quality over prompts, 0 to 1; 0 where nothing was measured.

    Few seeds may show a level better than the best one: over many prompts that evens out, so only
    the mean is cut to 1.
    """
    return {
        level: _share(fmean(found.values())) if found else 0.0
        for level, found in _by_level(profile).items()
    }


def started(profile: ArgusProfile) -> Iterator[tuple[Start, float]]:
    """Each start with its quality, not cut to 0 to 1; those of prompts without scores are left out.

    A start is held against all pictures of the prompt at the best level, of whatever seeds.
    """
    best = {row.prompt: row.scores[profile.quality.best] for row in profile.quality.prompts}
    for start in profile.starts:
        if start.prompt in best:
            yield start, quality_of(profile, start.scores, best[start.prompt])


def quality_of(profile: ArgusProfile, scores: Sequence[float], best: Sequence[float]) -> float:
    """Quality of a prompt's scores, held against its scores at the best level; not cut to 0 to 1.

    See `argus_core.quality.relative`.
    """
    measured = profile.quality
    return relative(measured.comparison, scores, best, scale=measured.scale, clip=False)


def _by_level(profile: ArgusProfile) -> dict[str, dict[str, float]]:
    """Quality by level and prompt, in the ladder's order; prompts not measured are missing."""
    full, begun = _full(profile), _begun(profile)
    return {
        level.name: begun.get(level.name, {}) if level.skipped_steps else full[level.name]
        for level in profile.ladder
    }


def _full(profile: ArgusProfile) -> dict[str, dict[str, float]]:
    best = profile.quality.best
    return {
        level: {
            row.prompt: quality_of(profile, row.scores[level], row.scores[best])
            for row in profile.quality.prompts
        }
        for level in profile.full_levels
    }


def _begun(profile: ArgusProfile) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for start, quality in started(profile):
        if start.relation != USELESS:
            found[start.level][start.prompt].append(quality)
    return {
        level: {prompt: fmean(values) for prompt, values in prompts.items()}
        for level, prompts in found.items()
    }


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
