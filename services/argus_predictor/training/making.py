"""From a profile to a head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise

import numpy as np

from argus_core.errors import InvalidRequest
from argus_core.profile.document import ArgusProfile, ProfiledLevel
from argus_predictor.heads import Head
from argus_predictor.heads.artefact import versioned
from argus_predictor.training import calibration
from argus_predictor.training.calibration import Unseen
from argus_predictor.training.fitting import fit_scorer
from argus_predictor.training.network import Recipe, thread
from argus_predictor.training.samples import Embed, Label, Labels, Samples, labels_of, samples_of
from argus_predictor.training.splitting import held_out, kept_apart, trained_on
from argus_predictor.training.starts import fit_starts, started_of

LEAST = 50
"""Prompts of a profile below which no head is trained."""

Progress = Callable[[float], None]

_SHARES = (0.55, 0.35, 0.10)
"""Of the time: folds, left out words, the head itself."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A head, and how it did on prompts that the scorers asked were not trained on."""

    head: Head
    held_out: Samples
    """Prompts that no training learns from."""
    held_labels: Labels
    """Those of such prompts."""
    unseen: Unseen
    """All others, by scorers like the head's that were not trained on them."""
    foreign: Unseen | None
    """Prompts with a common word, by scorers that never saw the word."""


def train(
    profile: ArgusProfile,
    labels: Sequence[Label] = (),
    *,
    embed: Embed,
    encoder: str = "all-MiniLM-L6-v2",
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Trained:
    """A head for the profile's levels that begin from nothing.

    Minutes on one core. The same arguments give the same head on the same machine.

    Args:
        profile: measured.
        labels: of images served; learnt from besides.
        embed: texts to unit embeddings, by `encoder`.
        encoder: its name.
        recipe: of the networks.
        seed: of what is drawn by lot.
        progress: is told the share done, 0 to 1.

    Raises:
        InvalidRequest: the profile has too few prompts.
    """
    thread()
    recipe = recipe or Recipe()
    everything = samples_of(profile, embed)
    samples = trained_on(everything)
    if len(samples) < LEAST:
        problem = f"{LEAST} are needed to train on, there are {len(samples)}"
        raise InvalidRequest.one("quality.prompts", problem)
    told = labels_of([x for x in labels if not kept_apart(x.prompt)], samples.levels, embed)
    apart = labels_of([x for x in labels if kept_apart(x.prompt)], samples.levels, embed)
    steps = iter(_steps(progress))
    unseen = calibration.out_of_fold(samples, recipe=recipe, seed=seed, progress=next(steps))
    foreign = calibration.without_words(samples, recipe=recipe, seed=seed, progress=next(steps))
    head = replace(
        _head(profile, samples, told, recipe, seed, next(steps)),
        encoder=encoder,
        spread=calibration.fit_spread(samples, unseen, foreign),
        start_model=fit_starts(started_of(profile, embed)),
    )
    return Trained(
        head=versioned(head),
        held_out=held_out(everything),
        held_labels=apart,
        unseen=unseen,
        foreign=foreign,
    )


def _head(  # noqa: PLR0917
    profile: ArgusProfile,
    samples: Samples,
    labels: Labels,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> Head:
    vocabulary, scorer = fit_scorer(
        samples, recipe=recipe, seed=seed, labels=labels, progress=progress
    )
    return Head(
        version="",
        levels=samples.levels,
        encoder="",
        dimensions=samples.embeddings.shape[1],
        vocabulary=vocabulary,
        scorer=scorer,
        best=samples.best,
        chains=chains_of(profile, samples),
        spread=calibration.no_spread(len(samples.levels)),
        start_model=fit_starts([]),
    )


def chains_of(profile: ArgusProfile, samples: Samples) -> tuple[tuple[int, ...], ...]:
    """Levels of one variant and guidance, most steps first.

    A chain breaks where more steps were measured to be worse, by two standard errors: evidence
    beats construction.
    """
    places = {name: place for place, name in enumerate(samples.levels)}
    by_kin: dict[tuple[str, float], list[ProfiledLevel]] = {}
    for level in profile.ladder:
        if level.name in places:
            by_kin.setdefault((level.variant, level.guidance_scale), []).append(level)
    chains: list[tuple[int, ...]] = []
    for kin in by_kin.values():
        steps = [places[level.name] for level in sorted(kin, key=lambda level: -level.steps)]
        chains += _broken(steps, samples)
    return tuple(chain for chain in chains if len(chain) > 1)


def _broken(levels: Sequence[int], samples: Samples) -> Iterable[tuple[int, ...]]:
    chain = [levels[0]]
    for upper, lower in pairwise(levels):
        lead = samples.qualities[:, lower] - samples.qualities[:, upper]
        if lead.mean() > 2 * lead.std() / np.sqrt(len(lead)):
            yield tuple(chain)
            chain = []
        chain.append(lower)
    yield tuple(chain)


def _steps(progress: Progress) -> list[Progress]:
    """A progress for each part, which tells the whole's."""
    begins = (0.0, *accumulate(_SHARES))
    return [partial(_part, progress, a, b) for a, b in pairwise(begins)]


def _part(progress: Progress, begin: float, end: float, done: float) -> None:
    progress(begin + (end - begin) * done)
