"""Captions whose pictures were measured at every level, and a load of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from argus_cli.load.sending import Sending
from argus_core.simulator.scenario import Floats, Ints
from argus_predictor import heads
from argus_predictor.encoder import Encoder
from argus_shapes import head_path
from support import data, results
from support.asking import order


@dataclass(frozen=True, kw_only=True)
class Captions:
    """What is asked for, what it is worth, and what the predictor says of it."""

    texts: Sequence[str]
    truth: Floats
    """Captions by levels, 0 to 1."""
    predicted: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What is asked for, and when; the same for every system."""

    captions: Captions
    ids: Ints
    """Of each request's caption."""
    arrivals: Floats
    """Seconds, rising."""
    deadline: float


def captions(ladder: Sequence[str]) -> Captions:
    """Those of the small family that were measured at every level."""
    path = results.FOLDER / "shapes_quality.csv"
    columns = [data.column(path, name) for name in ladder]
    truth = np.column_stack([column for column in columns if column is not None])
    with path.open(encoding="utf-8", newline="") as file:
        texts = [row["caption"] for row in csv.DictReader(file)]
    head = heads.load(head_path("shapes"))
    told = head.predict(texts, Encoder.load().embed(texts)).mean
    predicted = np.array(told[:, [head.levels.index(name) for name in ladder]], np.float64)
    return Captions(texts=texts, truth=truth, predicted=np.clip(predicted, 0.0, 1.0))


def sendings(asked: Asked) -> list[Sending]:
    """The load as its generator wants it."""
    texts, deadline = asked.captions.texts, asked.deadline
    return [
        Sending(at=float(at), prompt=int(i), order=order(texts[i], deadline))
        for i, at in zip(asked.ids, asked.arrivals, strict=True)
    ]
