"""The corpus of documents that the API server and the Python model must judge alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parent / "corpus"
"""Folder of documents, `valid` and `invalid`."""


@dataclass(frozen=True)
class Expected:
    """What a refusal must say."""

    field: str
    says: str


@dataclass(frozen=True)
class Refused:
    """An invalid document, and how each judge must refuse it."""

    name: str
    document: dict[str, Any]
    api: Expected
    model: Expected


def valid() -> dict[str, dict[str, Any]]:
    """By name."""
    return {p.stem: yaml.safe_load(p.read_text()) for p in sorted((CORPUS / "valid").iterdir())}


def invalid() -> list[Refused]:
    """The first two lines of each say what is expected."""
    return [_read(path) for path in sorted((CORPUS / "invalid").iterdir())]


def _read(path: Path) -> Refused:
    text = path.read_text()
    api, model, *_ = text.splitlines()
    document = yaml.safe_load(text)
    return Refused(path.stem, document, _expected(api, "API server"), _expected(model, "model"))


def _expected(line: str, judge: str) -> Expected:
    assert line.startswith(f"# {judge}: "), line
    field, says = line.removeprefix(f"# {judge}: ").split(": ", 1)
    return Expected(field, says)
