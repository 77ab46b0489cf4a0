"""Reads the ArgusCluster document, from a file or the one that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from argus_core.errors import InvalidRequest
from argus_core.spec import ArgusCluster, parse_cluster

STUDIO = "studio.yaml"


def load_document(path: Path | None) -> tuple[str, ArgusCluster]:
    """The document's text and what it says; without a path, the studio that comes with Argus.

    Raises:
        InvalidRequest: naming the file, or every field of it that is wrong.
    """
    text = _read(path) if path else files("argus_cli").joinpath(STUDIO).read_text("utf-8")
    try:
        return text, parse_cluster(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise InvalidRequest.one(f"{path or STUDIO}{where}", problem) from error


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InvalidRequest.one(str(path), error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest.one(str(path), "must be UTF-8") from error
