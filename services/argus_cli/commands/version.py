"""`argus version`."""

from __future__ import annotations

from importlib.metadata import version as installed

from rich.console import Console


def version() -> None:
    """Print the version."""
    Console().print(f"argus {installed('argus-serving')}", highlight=False)
