"""Reads a picture back: which shapes stand where, and whether they are what a caption asked.

The detector sees pixels only. It labels what is not paper, and holds each blob against a
template of every shape and size at the blob's own centre of mass. It is exact: it reads every
painted picture back (tests prove it), so a model's misses are the model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from argus_shapes.captions import COLOURS, SHAPES, SIZES, Group, Scene
from argus_shapes.painter import INK, PAPER, RADIUS, coverage

INK_DISTANCE = 0.3
"""RGB distance (0..1 a channel) from paper above which a pixel belongs to a shape: about a
third of the palest ink's own distance, so that noise stays paper and edges stay shape."""
SPECK = 5
"""Blobs of fewer pixels are dust, not shapes; the smallest painted shape covers 29."""
FIT = 0.72
"""Least overlap (intersection over union, 0..1) with the best template for a well-made shape.
Painted shapes reach 0.9; a circle held against a square of its size gives 0.75 at the most,
so it is the best template that names the shape and this floor that refuses blots."""
INK_ERROR = 0.3
"""Largest RGB distance of a blob's heart from the ink that names it."""

_HALF = 9
_INKS = np.array([INK[colour] for colour in COLOURS], np.float32) / 255


@dataclass(frozen=True, kw_only=True)
class Found:
    """One blob: what it looks most like, how well (0..1), and its centre in pixels."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    fit: float
    well_made: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a picture meets its scene: `exact`, or the `share` (0..1) of it that is right."""

    exact: bool
    share: float


def detect(image: NDArray[np.float32]) -> list[Found]:
    """Find the shapes in `[48, 48, 3]` pixels of 0..1, top left first."""
    mask = np.linalg.norm(image - PAPER, axis=-1) > INK_DISTANCE
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    blobs = (labels == i for i in range(1, count + 1))
    return [_describe(image, blob) for blob in blobs if blob.sum() >= SPECK]


def judge(scene: Scene, found: Sequence[Found]) -> Verdict:
    """Hold what was found against the scene.

    Exact means: every shape asked for, nothing else, all well made, and the relation holds.
    The share is twice the shapes that are right over those asked plus those found (F1), halved
    where a relation is broken.
    """
    taken: set[int] = set()
    members = [_claim(group, found, taken) for group in scene.groups]
    asked, right = sum(group.count for group in scene.groups), len(taken)
    related = scene.relation is None or _holds(scene.relation, members[0], members[1])
    share = 2 * right / (asked + len(found)) * (1.0 if related else 0.5)
    return Verdict(exact=related and right == asked == len(found), share=share)


def _describe(image: NDArray[np.float32], blob: NDArray[np.bool_]) -> Found:
    heart = image[blob]
    far = np.linalg.norm(heart - PAPER, axis=-1)
    heart = heart[far >= np.quantile(far, 0.5)]
    errors = np.linalg.norm(_INKS - np.median(heart, axis=0), axis=-1)
    ink = int(errors.argmin())
    reach = ndimage.binary_dilation(blob, np.ones((3, 3)))
    towards = _INKS[ink] - PAPER
    cover = np.clip((image - PAPER) @ towards / (towards @ towards), 0, 1) * reach
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    weight = cover.sum()
    x, y = float((cover * xs).sum() / weight), float((cover * ys).sum() / weight)
    row, column = int(y), int(x)
    window = np.pad(cover, _HALF)[row : row + 2 * _HALF + 1, column : column + 2 * _HALF + 1]
    offset = np.arange(-_HALF, _HALF + 1, dtype=np.float32) + 0.5
    fits = {
        (shape, size): _overlap(
            coverage(
                (offset + column - x)[None, :],
                (offset + row - y)[:, None] + _drop(shape, size),
                RADIUS[size],
                shape,
            ),
            window,
        )
        for shape in SHAPES
        for size in SIZES
    }
    (shape, size), fit = max(fits.items(), key=lambda item: item[1])
    well_made = fit >= FIT and float(errors[ink]) <= INK_ERROR
    return Found(
        shape=shape, colour=COLOURS[ink], size=size, x=x, y=y, fit=fit, well_made=well_made
    )


@cache
def _drop(shape: str, size: str) -> float:
    """Pixels that a shape's centre of mass lies below its centre: not zero for a triangle."""
    fine = np.arange(-10, 10, 0.05, dtype=np.float32)
    cover = coverage(fine[None, :], fine[:, None], RADIUS[size], shape)
    return float((cover * fine[:, None]).sum() / cover.sum())


def _overlap(template: NDArray[np.float32], cover: NDArray[np.float32]) -> float:
    return float(np.minimum(template, cover).sum() / np.maximum(template, cover).sum())


def _claim(group: Group, found: Sequence[Found], taken: set[int]) -> list[Found]:
    matches = [
        i
        for i, shape in enumerate(found)
        if i not in taken
        and shape.well_made
        and (shape.colour, shape.shape) == (group.colour, group.shape)
        and group.size in (None, shape.size)
    ][: group.count]
    taken.update(matches)
    return [found[i] for i in matches]


def _holds(relation: str, first: Sequence[Found], second: Sequence[Found]) -> bool:
    """Whether all of `first` stands so to all of `second`, by more than a pixel."""
    if not first or not second:
        return False
    if relation in ("left of", "right of"):
        a, b = [s.x for s in first], [s.x for s in second]
    else:
        a, b = [s.y for s in first], [s.y for s in second]
    if relation in ("left of", "above"):
        return max(a) < min(b) - 1
    return min(a) > max(b) + 1
