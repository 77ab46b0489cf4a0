"""From features and embedding to one output a level: kernel logistic regression.

A prompt's row x is its features and embedding, both scaled. Outputs are
`sigmoid(sum over anchors a of weight[a, level] * k(x, a) + bias[level])` with
`k(x, a) = amplitude * exp(-|x - a|^2 / 2) + linear * x.a`: what a Gaussian process with that kernel
is after a Laplace approximation. The variance that it gives the sum is small near anchors and
grows with the distance to them; it draws the output towards 1/2, and is the doubt of the output.
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
class Scorer:
    """The arrays."""

    centre: Floats
    """[columns]: taken off a row."""
    scale: Floats
    """[columns]: then multiplied with."""
    anchors: Floats
    """[anchors, columns]: scaled rows of training prompts."""
    weights: Floats
    """[anchors, levels]."""
    bias: Floats
    """[levels]."""
    factor: Floats
    """[levels, anchors, rank]: what the anchors take off the kernel's own variance, as a root."""
    kernel: Floats
    """[2]: amplitude, linear."""

    @classmethod
    def shape(cls, columns: int, levels: int, anchors: int, rank: int) -> Shape:
        """Of its arrays."""
        return {
            "centre": (columns,), "scale": (columns,), "anchors": (anchors, columns),
            "weights": (anchors, levels), "bias": (levels,),
            "factor": (levels, anchors, rank), "kernel": (2,),
        }  # fmt: skip

    def rows(self, features: Floats, embeddings: Floats) -> Floats:
        """Scaled rows, [prompts, columns]."""
        rows = (np.concatenate([features, embeddings], axis=1) - self.centre) * self.scale
        return np.clip(rows, -_FAR, _FAR)

    def outputs(self, features: Floats, embeddings: Floats) -> tuple[Floats, Floats]:
        """Outputs and their doubts, both [prompts, levels]; outputs are 0 to 1."""
        rows = self.rows(features, embeddings)
        products = kernel(rows, self.anchors, self.kernel)
        sums = products @ self.weights + self.bias
        own = self.kernel[0] + self.kernel[1] * (rows**2).sum(axis=1)
        known = np.stack([((products @ root) ** 2).sum(axis=1) for root in self.factor], axis=1)
        variance = np.maximum(own[:, None] - known, 0)
        # MacKay's: the mean, and roughly the variance, of a logistic of a normal variable.
        flat = 1 / np.sqrt(1 + np.pi / 8 * variance)
        outputs = 1 / (1 + np.exp(-np.clip(flat * sums, -30, 30)))
        return outputs, outputs * (1 - outputs) * (1 - flat)


def kernel(rows: Floats, anchors: Floats, constants: Floats) -> Floats:
    """[rows, anchors]."""
    products = rows @ anchors.T
    distances = (rows**2).sum(1)[:, None] + (anchors**2).sum(1) - 2 * products
    return constants[0] * np.exp(-np.maximum(distances, 0) / 2) + constants[1] * products
