"""Whether an accelerator can be drawn with, from what its driver tells: pure, and of any vendor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FATAL_XIDS = {
    48: "an uncorrectable memory error",
    64: "memory rows that cannot be remapped",
    74: "an NVLink error",
    79: "it has fallen off the bus",
    95: "an uncontained memory error",
    119: "its firmware does not answer",
    120: "its firmware failed",
    140: "an unrecovered memory error",
}
"""Of NVIDIA's driver, those that a new process on the same device does not mend. Others, such as
13, 31, 43, 45 and 94, end what ran and leave the device sound."""
THROTTLED_SECONDS = 60.0
"""Slowed down for so long, a device is left to cool; hot for a moment is usual."""
FOREIGN_SHARE = 0.1
"""Of the memory; held by others, what was measured to fit no longer does."""


class Cause(StrEnum):
    """Why a device is not drawn with, in a word."""

    LOST = "lost"
    XID = "xid"
    MEMORY = "memory"
    """Errors in it that cannot be corrected or mapped away."""
    SLOWED = "slowed"
    FOREIGN = "foreign"
    """Memory that others hold."""
    BROKEN = "broken"
    """It failed this process, whatever its driver tells."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the driver tells at one time."""

    lost: str = ""
    """Why the device cannot be asked; empty where it answers."""
    memory_bytes: int = 0
    """Of the device; 0 where it does not tell."""
    foreign_bytes: int = 0
    """Of it, held by other processes."""
    uncorrected: int = 0
    """Memory errors that could not be corrected, since the driver was loaded."""
    unremapped: bool = False
    """Whether memory rows could not be remapped."""
    xids: tuple[int, ...] = ()
    """Errors that the driver logged since the last reading."""
    slowed: tuple[str, ...] = ()
    """Why the hardware runs slower than it could, such as `heat`; a power cap does not count."""
    temperature: float | None = None
    """Degrees Celsius."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a device is, and what is remembered to tell how it will be."""

    reason: str = ""
    """Why it is not to be drawn with; empty where it is."""
    cause: Cause | None = None
    """The same in a word; None where it is drawn with."""
    fatal: bool = False
    """Whether it stays so whatever later readings say."""
    temperature: float | None = None
    uncorrected: int | None = None
    """At the first reading: earlier errors were dealt with."""
    slowed_since: float | None = None


def judge(before: Condition, reading: Reading, *, now: float) -> Condition:
    """The device's condition after a reading; `now` in seconds, on any clock."""
    first = reading.uncorrected if before.uncorrected is None else before.uncorrected
    since = None
    if reading.slowed:
        since = now if before.slowed_since is None else before.slowed_since
    after = replace(before, temperature=reading.temperature, uncorrected=first, slowed_since=since)
    if before.fatal:
        return after
    grave = _grave(reading, first)
    cause, reason = grave or _passing(reading, since, now) or (None, "")
    return replace(after, cause=cause, reason=reason, fatal=grave is not None)


Why = tuple[Cause, str]


def _grave(reading: Reading, first: int) -> Why | None:
    if reading.lost:
        return Cause.LOST, f"the device is lost: {reading.lost}"
    for xid in reading.xids:
        if xid in FATAL_XIDS:
            return Cause.XID, f"the device tells of {FATAL_XIDS[xid]} (Xid {xid})"
    if reading.uncorrected > first:
        lost = reading.uncorrected - first
        return Cause.MEMORY, f"{lost} memory errors could not be corrected"
    return (Cause.MEMORY, "memory rows cannot be remapped") if reading.unremapped else None


def _passing(reading: Reading, since: float | None, now: float) -> Why | None:
    if since is not None and now - since >= THROTTLED_SECONDS:
        causes = " and ".join(reading.slowed)
        slowed = f"the device has been slowed down for {now - since:.0f} s by {causes}"
        return Cause.SLOWED, slowed
    if reading.foreign_bytes > FOREIGN_SHARE * reading.memory_bytes > 0:
        held = reading.foreign_bytes / 2**30
        return Cause.FOREIGN, f"others hold {held:.1f} GiB of the device's memory"
    return None
