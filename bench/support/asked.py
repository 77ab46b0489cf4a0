"""What every experiment can be asked for on its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.results import FOLDER

SEEDS = 10
_ROOT = Path(__file__).resolve().parents[2]
_ARGUMENTS = argparse.ArgumentParser


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Options, read."""

    seeds: int
    """Runs of each policy."""
    jobs: int
    """Processes."""
    policies: tuple[str, ...]
    """Those that run; none named is each part's own."""
    parts: tuple[str, ...]
    """Those that run; none named is all."""
    again: bool
    """Whether to run again what the results have."""
    quick: bool
    """Whether a moment of it is enough: to see that it works, not for figures."""
    minutes: float | None
    """Where the experiment can be cut: so long; None for all of it."""
    out: Path
    """The results file."""
    pictures: Path
    """Folder of pictures: docs, for results that are committed."""
    command: tuple[str, ...]
    """The script and its arguments."""


def read(
    argv: Sequence[str] | None, *, name: str, about: str, seeds: int = SEEDS, minutes: str = ""
) -> Asked:
    """Read a command line; argparse tells what is wrong with it.

    Args:
        argv: the arguments; None for those of this process.
        name: of the experiment.
        about: what it is, for `--help`.
        seeds: runs of each policy, where nothing is said.
        minutes: what `--minutes` cuts; empty for an experiment that cannot be cut.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    given = _parser(name, about, seeds, minutes).parse_args(arguments)
    out = given.out or (_ROOT / "out" if given.quick else FOLDER) / f"{name}.json"
    return Asked(
        seeds=given.seeds if given.seeds is not None else 1 if given.quick else seeds,
        jobs=given.jobs,
        policies=given.policies,
        parts=given.parts,
        again=given.again,
        quick=given.quick,
        minutes=getattr(given, "minutes", None),
        out=out,
        pictures=_ROOT / "docs" if out.parent == FOLDER else out.parent,
        command=(f"bench/{name}.py", *arguments),
    )


def _parser(name: str, about: str, seeds: int, minutes: str) -> argparse.ArgumentParser:
    parser = _ARGUMENTS(prog=f"bench/{name}.py", description=about)
    add = parser.add_argument
    add("--seeds", type=_positive, help=f"runs of each policy; {seeds} where nothing is said")
    add("--jobs", type=_positive, default=1, help="processes")
    add("--policies", type=_names, default=(), help="separated by commas; else each part's own")
    add("--parts", type=_names, default=(), help="separated by commas; else all")
    if minutes:
        add("--minutes", type=float, help=minutes)
    add("--quick", action="store_true", help="a moment of everything, into out/: does it work?")
    add("--again", action="store_true", help="run again what the results have already")
    add("--out", type=Path, help=f"results file; else bench/results/{name}.json")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
