"""Moments as the API server spells them."""

from __future__ import annotations

from datetime import UTC, datetime


def spelled_now() -> str:
    """RFC 3339, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
