"""From features and embedding to one output a level: the mean of several small networks.

A network has one hidden layer that all levels share, and a logistic output a level. Two things tell
how little its outputs are to be trusted: how far the networks differ, and how far the prompt's
embedding is from the nearest of the training prompts kept for that (anchors). Unlike prompts get
what training saw on average instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argus_predictor.heads.shape import Shape

Floats = NDArray[np.float32]

_FAR = 10.0
"""Beyond which a scaled column says no more."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Of a scorer; 0 to 1."""

    values: Floats
    """[prompts, levels]."""
    doubt: Floats
    """[prompts, levels]: variance between the networks."""
    strangeness: Floats
    """[prompts]: 0 for a prompt like those of training, 1 for one unlike all of them."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """The arrays; `members` networks of `width` hidden units."""

    centre: Floats
    """[columns]: taken off a row of features and embedding."""
    scale: Floats
    """[columns]: then multiplied with."""
    hidden: Floats
    """[columns, members * width]."""
    hidden_bias: Floats
    """[members * width]."""
    out: Floats
    """[members, width, levels]."""
    out_bias: Floats
    """[members, levels]."""
    average: Floats
    """[levels]: outputs for prompts unlike all of training."""
    anchors: Floats
    """[anchors, dimensions]: embeddings of training prompts."""
    reach: Floats
    """[2]: distance (1 - cosine) to the nearest anchor at which strangeness begins, and at which it
    is 1."""

    @classmethod
    def shape(
        cls, columns: int, levels: int, *, members: int, width: int, anchors: int, dimensions: int
    ) -> Shape:
        """Of its arrays."""
        return {
            "centre": (columns,), "scale": (columns,),
            "hidden": (columns, members * width), "hidden_bias": (members * width,),
            "out": (members, width, levels), "out_bias": (members, levels),
            "average": (levels,), "anchors": (anchors, dimensions), "reach": (2,),
        }  # fmt: skip

    def rows(self, features: Floats, embeddings: Floats) -> Floats:
        """Scaled rows, [prompts, columns]."""
        rows = (np.concatenate([features, embeddings], axis=1) - self.centre) * self.scale
        return np.clip(rows, -_FAR, _FAR)

    def outputs(self, features: Floats, embeddings: Floats) -> Outputs:
        """Outputs of prompts, by their features and embeddings."""
        members, width, _ = self.out.shape
        hidden = _silu(self.rows(features, embeddings) @ self.hidden + self.hidden_bias)
        by_member = hidden.reshape(len(hidden), members, width).transpose(1, 0, 2)
        each = _sigmoid(by_member @ self.out + self.out_bias[:, None])
        strange = self.strangeness(embeddings)
        values = each.mean(axis=0)
        values += strange[:, None] * (self.average - values)
        return Outputs(values=values, doubt=each.var(axis=0), strangeness=strange)

    def strangeness(self, embeddings: Floats) -> Floats:
        """0 to 1, [prompts]; see `Outputs`."""
        distance = 1 - (embeddings @ self.anchors.T).max(axis=1)
        begin, end = self.reach
        return np.clip((distance - begin) / (end - begin), 0, 1)


def _sigmoid(sums: Floats) -> Floats:
    return np.reciprocal(1 + np.exp(-np.clip(sums, -30, 30)), dtype=np.float32)


def _silu(sums: Floats) -> Floats:
    return sums * _sigmoid(sums)
