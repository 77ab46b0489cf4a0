"""Between seconds as floats, which the core speaks, and protobuf's own times."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_SECOND = 10**9


def duration(seconds: float) -> Duration:
    """The Duration of so many seconds, to the nanosecond; may be negative."""
    whole, nanos = divmod(round(abs(seconds) * 1e9), _SECOND)
    sign = 1 if seconds >= 0 else -1
    return Duration(seconds=sign * whole, nanos=sign * nanos)


def seconds(message: Duration) -> float:
    """The seconds of a Duration."""
    return message.seconds + message.nanos / 1e9


def now() -> Timestamp:
    """The wall clock's time."""
    message = Timestamp()
    message.FromDatetime(datetime.now(UTC))
    return message
