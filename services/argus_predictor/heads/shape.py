"""The shapes that a head's arrays must have."""

from __future__ import annotations

Shape = dict[str, tuple[int, ...]]
"""By name; -1 for any length."""
