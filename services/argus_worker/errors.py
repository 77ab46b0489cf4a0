"""What a worker's engine raises of its own; what callers hear is in `argus_core.errors`."""

from __future__ import annotations


class BadModel(Exception):
    """A model cannot be loaded or driven; the message says which, and why."""
