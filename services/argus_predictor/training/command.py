"""What `argus train-predictor` does, from files to files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argus_core.errors import InvalidRequest
from argus_core.profile.document import ArgusProfile, parse_profile
from argus_predictor import heads
from argus_predictor.encoder import DEFAULT, Encoder
from argus_predictor.training import report
from argus_predictor.training.comparing import Comparison, compared
from argus_predictor.training.making import train
from argus_predictor.training.samples import Label

PAGE = "report.md"
"""Beside the head that it tells of."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of a training."""

    version: str
    comparison: Comparison
    written: bool
    """Whether the head was written; not where the one in place is as good."""
    page: str
    """The report, in Markdown."""


def run(
    profile: Path,
    out: Path,
    *,
    labels: Path | None = None,
    against: Path | None = None,
    encoder: str = DEFAULT,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """Train, hold against the head in place, and write head and report if it is better.

    Args:
        profile: a profile document, JSON.
        out: the head's directory.
        labels: JSON lines as the predictor writes them.
        against: a head's directory; None for `out` where there is one.
        encoder: the sentence encoder's name.
        seed: of what is drawn by lot.
        progress: is told the share done.

    Raises:
        InvalidRequest: a file is missing or wrong; the message says where.
    """
    document, told = read_profile(profile), read_labels(labels) if labels else []
    rival = against or (out if (out / heads.artefact.DOCUMENT).exists() else None)
    old = heads.load(rival) if rival else None
    reader = Encoder.load(encoder)
    trained = train(
        document, told, embed=reader.embed, encoder=reader.name, seed=seed, progress=progress
    )
    comparison = compared(trained.head, old, trained.held_out, trained.held_labels)
    found = report.report_of(trained, document, comparison)
    page = report.page(found, version=trained.head.version)
    if comparison.better:
        heads.save(trained.head, out)
        from argus_predictor.training.plots import draw  # noqa: PLC0415 - matplotlib is slow

        draw(found, trained, report.seconds_of(document, found.levels), out / report.PLOTS)
        (out / PAGE).write_text(page, encoding="utf-8")
    return Outcome(
        version=trained.head.version,
        comparison=comparison,
        written=comparison.better,
        page=page,
    )


def read_profile(path: Path) -> ArgusProfile:
    """A profile document of JSON.

    Raises:
        InvalidRequest: it is none.
    """
    return parse_profile(_json(_text("profile", path), f"profile {path}"))


def read_labels(path: Path) -> list[Label]:
    """Labels, one a line.

    Raises:
        InvalidRequest: a line is none; the message names it.
    """
    lines = _text("labels", path).splitlines()
    return [_label(line, f"labels {path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]


def _label(line: str, where: str) -> Label:
    row = _json(line, where)
    try:
        prompt, level, quality = row["prompt"], row["level"], row["quality"]
        similarity = row.get("similarity")
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest.one(where, "needs prompt, level and quality") from error
    texts = isinstance(prompt, str) and isinstance(level, str)
    if not texts or not _is_share(quality, 0, 2) or not (
        similarity is None or _is_share(similarity, -1, 1)
    ):  # fmt: skip
        raise InvalidRequest.one(where, "prompt and level are text, quality and similarity numbers")
    return Label(prompt=prompt, level=level, quality=float(quality), similarity=similarity)


def _is_share(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and low <= value <= high


def _text(field: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest.one(f"--{field}", f"cannot read {path}: {error}") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest.one(where, f"is not JSON: {error}") from error
