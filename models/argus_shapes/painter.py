"""Paints scenes: the truth that the small models learn, 48 x 48 pixels on a 3 x 3 grid.

Every shape stays inside a 16 x 16 cell of its own, with at least two pixels of paper to its
neighbour, so that the detector can tell any two apart. Which cells, where in its cell, and any
size that the caption leaves open are drawn from the generator given.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argus_shapes.captions import SIZES, Scene

PIXELS = 48
GRID = 3
CELL = PIXELS // GRID
PAPER = np.array([246, 243, 236], np.float32) / 255
INK = {
    "red": (224, 49, 49),
    "yellow": (250, 176, 5),
    "green": (47, 158, 68),
    "blue": (34, 110, 230),
    "purple": (156, 54, 181),
    "black": (33, 37, 41),
}
RADIUS = {"small": 3.6, "large": 6.2}
"""Pixels from the centre to a circle's edge; the other shapes are sized to look alike."""
JITTER = {"small": 2.6, "large": 0.6}
"""Pixels that a shape may stand off its cell's centre, each way."""

_AHEAD: dict[str, Callable[[tuple[int, int], tuple[int, int]], bool]] = {
    "left of": lambda a, b: a[1] < b[1],
    "right of": lambda a, b: a[1] > b[1],
    "above": lambda a, b: a[0] < b[0],
    "below": lambda a, b: a[0] > b[0],
}


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One shape on the paper; `x` and `y` are pixels, right and down from the top left."""

    shape: str
    colour: str
    size: str
    x: float
    y: float


def arrange(rng: random.Random, scene: Scene) -> list[Placed]:
    """Give every shape of the scene a cell and a place in it, as its relation demands."""
    sizes = [group.size or rng.choice(SIZES) for group in scene.groups]
    owners = [i for i, group in enumerate(scene.groups) for _ in range(group.count)]
    placed = []
    for owner, (row, column) in zip(owners, _cells(rng, scene, len(owners)), strict=True):
        group, size = scene.groups[owner], sizes[owner]
        dx, dy = (rng.uniform(-JITTER[size], JITTER[size]) for _ in range(2))
        x, y = (column + 0.5) * CELL + dx, (row + 0.5) * CELL + dy
        placed.append(Placed(shape=group.shape, colour=group.colour, size=size, x=x, y=y))
    return placed


def paint(pictures: Sequence[Sequence[Placed]]) -> NDArray[np.float32]:
    """Paint a batch; returns `[batch, 48, 48, 3]` in 0..1, edges antialiased."""
    images = np.empty((len(pictures), PIXELS, PIXELS, 3), np.float32)
    images[:] = PAPER
    flat = [(i, shape) for i, picture in enumerate(pictures) for shape in picture]
    if not flat:
        return images
    index = np.array([i for i, _ in flat])
    xy = np.array([(p.x, p.y) for _, p in flat], np.float32)
    corner = (xy // CELL).astype(int) * CELL
    cover = _coverage(
        xy - corner,
        np.array([RADIUS[p.size] for _, p in flat], np.float32),
        np.array([p.shape for _, p in flat]),
    )[..., None]
    ink = (np.array([INK[p.colour] for _, p in flat], np.float32) / 255)[:, None, None, :]
    rows = (corner[:, 1, None] + np.arange(CELL))[:, :, None]
    columns = (corner[:, 0, None] + np.arange(CELL))[:, None, :]
    images[index[:, None, None], rows, columns] = PAPER * (1 - cover) + ink * cover
    return images


def coverage(
    dx: NDArray[np.float32], dy: NDArray[np.float32], radius: float, shape: str
) -> NDArray[np.float32]:
    """Share (0..1) of each pixel that a shape covers, `dx`, `dy` pixels off its centre."""
    if shape == "circle":
        distance = np.hypot(dx, dy) - radius
    elif shape == "square":
        distance = np.maximum(np.abs(dx), np.abs(dy)) - radius * 0.9
    else:
        sides = (2.0 * np.abs(dx) - (dy + radius)) / math.sqrt(5)
        distance = np.maximum(dy - radius * 0.9, sides)
    covered: NDArray[np.float32] = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return covered


def _coverage(
    centres: NDArray[np.float32], radii: NDArray[np.float32], shapes: NDArray[np.str_]
) -> NDArray[np.float32]:
    pixel = np.arange(CELL, dtype=np.float32) + 0.5
    dx = pixel[None, None, :] - centres[:, 0, None, None]
    dy = pixel[None, :, None] - centres[:, 1, None, None]
    out = np.zeros((len(centres), CELL, CELL), np.float32)
    for shape in np.unique(shapes):
        for radius in np.unique(radii):
            chosen = (shapes == shape) & (radii == radius)
            out[chosen] = coverage(dx[chosen], dy[chosen], float(radius), str(shape))
    return out


def _cells(rng: random.Random, scene: Scene, count: int) -> list[tuple[int, int]]:
    cells = [divmod(cell, GRID) for cell in rng.sample(range(GRID * GRID), count)]
    if scene.relation is None:
        return cells
    ahead, first = _AHEAD[scene.relation], scene.groups[0].count
    while not all(ahead(a, b) for a in cells[:first] for b in cells[first:]):
        cells = [divmod(cell, GRID) for cell in rng.sample(range(GRID * GRID), count)]
    return cells
