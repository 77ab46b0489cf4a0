"""What is put into a store must hold together."""

from __future__ import annotations

from collections.abc import Mapping

from argus_latents.files import is_key
from argus_latents.store import Entry


def check_entry(entry: Entry, latents: Mapping[int, bytes]) -> None:
    """Refuse what could never be found again; ValueError says why."""
    if not is_key(entry.key):
        raise ValueError("the key must be 32 hex digits")
    if not latents or tuple(sorted(latents)) != entry.steps:
        raise ValueError(f"latents are of steps {sorted(latents)}, the entry of {entry.steps}")
    if entry.bytes != sum(map(len, latents.values())):
        raise ValueError("the entry's bytes are not its latents'")
