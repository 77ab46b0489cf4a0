"""The cluster document, as a service reads it when it starts."""

from __future__ import annotations

from pathlib import Path

import yaml

from argus_core.errors import InvalidRequest
from argus_core.spec import ArgusCluster, parse_cluster


def load_or_exit(path: Path) -> ArgusCluster:
    """The document under `path`; ends the process with a line that says what is wrong with it."""
    try:
        return parse_cluster(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, InvalidRequest) as error:
        raise SystemExit(f"{path}: {error}") from error
