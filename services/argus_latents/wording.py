"""Entries as text, for stores that keep no columns."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict

from argus_latents.store import Entry


def to_text(entry: Entry) -> bytes:
    """JSON, with the embedding in base 64."""
    values = {**asdict(entry), "embedding": b64encode(entry.embedding).decode()}
    return json.dumps(values).encode()


def from_text(text: bytes) -> Entry | None:
    """The entry again; None where the text is of another version, or was not written by us."""
    try:
        values = json.loads(text)
        embedding = b64decode(values["embedding"], validate=True)
        steps = tuple(int(step) for step in values["steps"])
        entry = Entry(**{**values, "embedding": embedding, "steps": steps})
        bytes.fromhex(entry.key)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return entry
