"""Whether a new head may take the place of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from argus_predictor.heads import Head
from argus_predictor.training.samples import Labels, Samples

LEAST = 20
"""Prompts that must be held out, or nothing is shown."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of two heads, on prompts that neither was trained on."""

    better: bool
    reason: str
    prompts: int
    new_error: float
    """Mean square error over prompts and levels, the seeds' noise included."""
    old_error: float | None
    """None where the other cannot predict these levels."""


def better(new: Head, old: Head | None, held_out: Samples, labels: Labels | None = None) -> bool:
    """Whether `new` errs less than `old` on prompts that neither was trained on."""
    return compared(new, old, held_out, labels).better


def compared(
    new: Head, old: Head | None, held_out: Samples, labels: Labels | None = None
) -> Comparison:
    """The same, with figures. One that predicts other levels, or of another encoder, is worse.

    Args:
        new: a head.
        old: the one in place; None for none.
        held_out: prompts of a profile.
        labels: of images served, of such prompts; each counts as one level of one prompt.
    """
    mine = _error(new, held_out, labels)
    if old is None:
        return _said(True, "there is none in place", held_out, mine, None)
    if (old.levels, old.encoder, old.dimensions) != (new.levels, new.encoder, new.dimensions):
        return _said(True, "the one in place is for other levels", held_out, mine, None)
    if len(held_out) < LEAST:
        few = f"only {len(held_out)} prompts are held out, {LEAST} are needed to tell"
        return _said(False, few, held_out, mine, None)
    theirs = _error(old, held_out, labels)
    verb = "errs less" if mine < theirs else "does not err less"
    reason = f"the new one {verb}: mean square error {mine:.5f} against {theirs:.5f}"
    return _said(mine < theirs, reason, held_out, mine, theirs)


def _error(head: Head, held_out: Samples, labels: Labels | None) -> float:
    if not len(held_out) or head.levels != held_out.levels:
        return float("nan")
    mean = head.predict(held_out.prompts, held_out.embeddings).mean
    squares = [((mean - held_out.qualities) ** 2).ravel()]
    if labels is not None and labels.prompts:
        told = head.predict(labels.prompts, labels.embeddings).mean
        found = told[np.arange(len(told)), labels.levels]
        squares.append((found - labels.qualities) ** 2)
    return float(np.concatenate(squares).mean())


def _said(
    verdict: bool,  # noqa: FBT001
    reason: str,
    held_out: Samples,
    mine: float,
    theirs: float | None,
) -> Comparison:
    return Comparison(
        better=bool(verdict),
        reason=reason,
        prompts=len(held_out),
        new_error=mine,
        old_error=None if theirs is None or np.isnan(theirs) else theirs,
    )
