"""Runs the commands of a page of the docs, as a reader would who follows it."""

from __future__ import annotations

import re
from pathlib import Path

from cluster.kubernetes import ROOT, Kubernetes

_BLOCK = re.compile(r"^## (.+?)$|^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENDS = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
"""What a block leaves running ends with it."""


def commands(page: str) -> dict[str, str]:
    """The bash blocks of docs/PAGE, by the heading that they stand under."""
    found: dict[str, str] = {}
    heading = ""
    for match in _BLOCK.finditer((ROOT / "docs" / page).read_text()):
        heading = match[1] or heading
        if match[2]:
            found[heading] = found.get(heading, "") + match[2]
    return found


def follow(cluster: Kubernetes, block: str, folder: Path) -> str:
    """Run a block in the project's folder; files that it writes go to `folder`.

    Raises:
        CommandFailed: a command of it ended with another status than 0.
    """
    for name in ("charts", "manifests"):
        link = folder / name
        if not link.exists():
            link.symlink_to(ROOT / name)
    script = f"set -euo pipefail\ncd {folder}\n{_ENDS}{block}"
    return cluster.run("bash", "-c", script, timeout=400)
