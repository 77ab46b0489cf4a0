"""Whether every request got exactly one final answer, in time, with a code that means something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import grpc

from argus_cli.load.record import DROPPED, UNANSWERED, Record

CANONICAL = frozenset(code.name for code in grpc.StatusCode)
"""gRPC's codes."""
UNEXPLAINED = frozenset({"UNKNOWN", "INTERNAL", "DATA_LOSS"})
"""Codes that no fault of a part may bring about."""


def problems(records: Sequence[Record], *, expected: int, grace: float) -> list[str]:
    """What is wrong, a sentence each; none where all is well.

    Args:
        records: of all requests.
        expected: requests that there were.
        grace: seconds beyond its deadline that an answer may take to arrive.
    """
    return [*_counted(records, expected), *(p for r in records for p in _of(r, grace))]


def _counted(records: Sequence[Record], expected: int) -> Iterator[str]:
    numbers = Counter(record.number for record in records)
    for number in sorted(set(range(expected)) - set(numbers)):
        yield f"request {number} is lost: nothing is told of it"
    for number, count in sorted(numbers.items()):
        if count > 1:
            yield f"request {number} is told of {count} times"
        if not 0 <= number < expected:
            yield f"request {number} was never to be sent"


def _of(record: Record, grace: float) -> Iterator[str]:
    who = f"request {record.number} ({record.code})"
    if record.code == DROPPED:
        if record.sent is not None:
            yield f"{who} was sent and is called dropped"
        return
    if record.code == UNANSWERED:
        yield f"{who} has no answer: the load was broken off"
        return
    if record.answers != 1:
        yield f"{who} has {record.answers} final answers, not one"
    if record.code not in CANONICAL:
        yield f"{who} ended with a code that gRPC does not have"
    if record.code in UNEXPLAINED:
        yield f"{who} failed without a reason: {record.message}"
    if record.last is None or record.sent is None:
        yield f"{who} is answered, and it is not told when"
    elif record.last - record.sent > record.deadline + grace:
        over = record.last - record.sent - record.deadline
        yield f"{who} was answered {over:.2f} s after its deadline"
