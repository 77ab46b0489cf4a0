"""Reads the ArgusCluster document, from a file or the one that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from argus_core.errors import InvalidRequest
from argus_core.spec import ArgusCluster, is_automatic, parse_cluster

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


def written(cluster: ArgusCluster) -> str:
    """The document's text, by which services and people read it."""
    plain = cluster.model_dump(mode="json", by_alias=True, exclude={"status"}, exclude_none=True)
    return yaml.safe_dump(plain, sort_keys=False)


def with_profile(text: str, cluster: ArgusCluster, base: Path) -> tuple[str, ArgusCluster]:
    """Text and document with the figures of the profile that it names a file of, if it does.

    Args:
        text: of the document.
        cluster: what it says.
        base: folder in which a relative path begins.

    Raises:
        InvalidRequest: the file cannot be read, makes no sense, or is of other levels.
    """
    from argus_cli.profiles import profiled  # noqa: PLC0415 - slow to import

    source = cluster.spec.profile
    if source is None or source.path is None:
        return text, cluster
    path = base / Path(source.path).expanduser()
    automatic = is_automatic(yaml.safe_load(text))
    done = profiled(cluster, path, automatic=automatic, option="spec.profile.path")
    return written(done), done


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InvalidRequest.one(str(path), error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest.one(str(path), "must be UTF-8") from error
