"""Who decides what the workers of a cluster hold; quick to import."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Who decides what the workers hold."""

    AUTOMATIC = "automatic"
    """The plan."""
    ADVISORY = "advisory"
    """They keep what they hold, and the plan is only shown."""
    OFF = "off"
    """They keep what they hold: the even spread, or what was assigned by hand."""
