"""Experiments' results as JSON files: read, written whole, and told where they come from.

A file's plain data, all the way down:

    question, command, date, versions, machine
    parts: by name
        parameters: what it rests on; results under others are not kept
        scenario: facts of the first seed's
        judged: the view that goals are about
        published: by view, by row, by figure
        unable: by policy, why it cannot work here
        bounds: by seed; null where none was asked for
        policies: by name
            date, code, seconds (of one run)
            views: by name
                figures: by field, mean over the seeds and half of its 95% interval
                by_seed: by field, of those that are compared
                levels: by name, share of what was delivered; left out where nothing was
    goals, against: see `support.goals`
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from argus_cli.simulate import record
from argus_cli.simulate.statistics import Interval, interval
from support import data
from support.loads import Loaded

Document = dict[str, Any]
"""A file, or some of it."""

FOLDER = Path(__file__).resolve().parents[1] / "results"
RECORDED, ALIKE = "recorded", "look-alikes"
_DIGITS, _HALF_DIGITS = 6, 3
"""That are kept of a figure, and of half of its interval's width."""
_ROOT = Path(__file__).resolve().parents[2]
_CODE = ("services/argus_core", "bench/support")
"""Folders that figures rest on."""
_INNERMOST = re.compile(r"[\[{][^\[\]{}]*[\]}]")


def read(path: Path) -> Document:
    """A file's results; none where there is no such file."""
    found: Document = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def write(document: Mapping[str, Any], path: Path) -> None:
    """Write a file at once, so that who is stopped meanwhile leaves the old one."""
    text = json.dumps(document, indent=1, allow_nan=False)
    compact = _INNERMOST.sub(lambda found: " ".join(found.group().split()), text)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(compact + "\n", "utf-8")
    fresh.replace(path)


def origin(arguments: Sequence[str]) -> Document:
    """Where results come from: the command, today, versions, this machine."""
    return record.origin(shlex.join(["python", *arguments]))


def today() -> str:
    """The date, as it is written."""
    return datetime.now(UTC).date().isoformat()


@cache
def code() -> str:
    """Of the code that figures rest on: a fingerprint, which changes when it does."""
    found = hashlib.sha256()
    for folder in _CODE:
        for file in sorted((_ROOT / folder).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()[:12]


def parameters(build: object, *, seeds: int, views: Sequence[str]) -> Document:
    """What a part's results rest on, as JSON gives it back."""
    found = {
        "builder": described(build),
        "seeds": list(range(seeds)),
        "views": list(views),
        "data": RECORDED if data.folder().exists() else ALIKE,
    }
    plain: Document = json.loads(json.dumps(found))
    return plain


def described(build: object) -> Document:
    """A builder's name, and what it was given."""
    if isinstance(build, Loaded):
        return {**described(build.build), "share": build.share}
    if isinstance(build, partial):
        return {**described(build.func), **build.keywords}
    return {"scenario": f"{build.__module__}.{getattr(build, '__qualname__', '')}"}


def rounded(value: float | None, digits: int = _DIGITS) -> float | None:
    """To so many significant digits as are kept."""
    return None if value is None else float(f"{value:.{digits}g}")


def summed_up(values: Sequence[float | None]) -> Document | None:
    """The mean of a figure over the seeds, and its interval; None where there is none."""
    return told(interval(values))


def told(found: Interval | None) -> Document | None:
    """An interval, as it is written: its middle, and half of its width."""
    if found is None:
        return None
    return {"mean": rounded(found.mean), "half": rounded(found.half, _HALF_DIGITS)}


def interval_of(found: Mapping[str, Any] | None, seeds: int) -> Interval | None:
    """An interval, as it was before it was written, over so many seeds."""
    if found is None:
        return None
    mean, half = found["mean"], found["half"]
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return Interval(mean=mean, low=low, high=high, count=seeds)
