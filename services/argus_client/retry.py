"""Whether a failed call is tried again, and when. Pure: the generator and the time come in."""

from __future__ import annotations

import random
from dataclasses import dataclass

from argus_core.errors import ArgusError, Exhausted, Unavailable


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and how patiently a call is tried again."""

    attempts: int = 5
    """Tries in all, at least 1."""
    first_delay: float = 0.1
    """Seconds before the second try, where the server names none."""
    factor: float = 2.0
    """Growth of that delay with each further try."""
    longest_delay: float = 5.0
    """Seconds; the delay grows no further. A server may ask for more."""


def retry_delay(
    error: ArgusError, *, attempt: int, remaining: float, retry: Retry, rng: random.Random
) -> float | None:
    """Seconds to wait before the next try; None where there shall be none.

    A refusal for want of capacity is retried only when the server says after how long; a server
    that is away may be back any moment. Delays vary by a quarter, so that clients refused
    together do not come back together; none is shorter than the server asked.

    Args:
        error: what the try ended with.
        attempt: tries made, from 1.
        remaining: seconds until the caller's deadline; infinite for none.
        retry: bounds.
        rng: draws the variation.
    """
    if attempt >= retry.attempts or not isinstance(error, Exhausted | Unavailable):
        return None
    if error.retry_after is None and isinstance(error, Exhausted):
        return None
    backoff = min(retry.first_delay * retry.factor ** (attempt - 1), retry.longest_delay)
    delay = max(backoff, error.retry_after or 0.0) * rng.uniform(1.0, 1.25)
    return delay if delay < remaining else None
