"""The small family's document, as benches change it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SAMPLE = Path(__file__).resolve().parents[2] / "manifests" / "samples" / "shapes-cached.yaml"


def document() -> dict[str, Any]:
    """With cached starts."""
    found: dict[str, Any] = yaml.safe_load(SAMPLE.read_text("utf-8"))
    return found


def without_starts() -> dict[str, Any]:
    """Without a store, and without the levels that need one."""
    found = document()
    spec = found["spec"]
    del spec["latentStore"]
    spec["ladder"] = [level for level in spec["ladder"] if not level.get("skippedSteps")]
    return found


def written(found: Mapping[str, Any], folder: Path) -> Path:
    """Its file, in a folder of its own."""
    file = folder / "cluster.yaml"
    file.write_text(yaml.safe_dump(dict(found), sort_keys=False), encoding="utf-8")
    return file
