"""What can go wrong, by what the caller can do about it.

One root and one leaf per reaction open to the caller. `code` is the canonical gRPC status
name; the shells translate it, so that the core needs no gRPC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ArgusError(Exception):
    """The root: every error that Argus raises on purpose."""

    code: ClassVar[str] = "INTERNAL"
    retry_after: float | None = None
    """Seconds after which a retry may succeed; None where a retry is of no use."""


@dataclass(frozen=True)
class Violation:
    """One thing wrong with one field; `field` is its path, such as `size.width`."""

    field: str
    problem: str


class InvalidRequest(ArgusError):
    """The input can never succeed; mend the fields named."""

    code = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{v.field}: {v.problem}" for v in self.violations))

    def __reduce__(self) -> tuple[type[InvalidRequest], tuple[tuple[Violation, ...]]]:
        """So that it survives the way from another process."""
        return type(self), (self.violations,)

    @classmethod
    def one(cls, field: str, problem: str) -> InvalidRequest:
        """The error of a single field."""
        return cls([Violation(field, problem)])


class Unauthenticated(ArgusError):
    """No API key, or none that is known here; get one."""

    code = "UNAUTHENTICATED"


class Forbidden(ArgusError):
    """The API key is known, but not for this."""

    code = "PERMISSION_DENIED"


class NotFound(ArgusError):
    """No such thing here; the message names what there is."""

    code = "NOT_FOUND"


class NotHeld(ArgusError):
    """A worker was asked for a variant that its loadout lacks; ask another worker."""

    code = "FAILED_PRECONDITION"


class Exhausted(ArgusError):
    """No capacity or memory for this request; retry later, or ask for less."""

    code = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OverQuota(Exhausted):
    """A tenant's own quota is used up: others are served; ask for less."""


class Unavailable(ArgusError):
    """Not now or not here: starting, draining, or a worker was lost; retry."""

    code = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after: float | None = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineMissed(ArgusError):
    """The deadline passed before the work was done."""

    code = "DEADLINE_EXCEEDED"


class NotBuilt(ArgusError):
    """The contract names it, and this service does not offer it; do without."""

    code = "UNIMPLEMENTED"
