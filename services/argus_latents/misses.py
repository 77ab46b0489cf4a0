"""Why a latent could not be had from a store that works."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Of a miss."""

    MISSING = "missing"
    """Nothing is there: never put, evicted, or deleted."""
    EXPIRED = "expired"
    TRUNCATED = "truncated"
    """Shorter or longer than it says."""
    CORRUPT = "corrupt"
    """Its checksum is wrong."""
    SECRET = "secret"  # noqa: S105 - a reason
    """Written with another secret, or with none."""
    FORMAT = "format"
    """No latent at all."""
    VERSION = "version"
    """Written by an Argus of another format."""
    KEY = "key"
    """Put under another key, or what is asked for is no key."""
    STEP = "step"
    SCOPE = "scope"
    """Another tenant's."""
    COMPATIBILITY = "compatibility"


class Miss(Exception):
    """There is no such latent."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)
