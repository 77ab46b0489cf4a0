"""When somebody means: a time of day, with or without its date."""

from __future__ import annotations

from datetime import datetime, timedelta

from argus_core.errors import InvalidRequest

_DAY = ("%H:%M", "%H:%M:%S")
_DATED = tuple(f"%Y-%m-%d{gap}{time}" for gap in (" ", "T") for time in _DAY)


def moment_of(said: str, now: datetime) -> datetime:
    """The time that is meant by `14:05`, `14:05:30` or `2026-11-25 14:05`.

    A time of day without a date is its last occurrence. The end of that minute or second is meant.
    In the time zone of `now`.

    Raises:
        InvalidRequest: it is none of these, or has yet to come.
    """
    for form in (*_DAY, *_DATED):
        try:
            read = datetime.strptime(said.strip(), form)  # noqa: DTZ007 - made aware below
        except ValueError:
            continue
        at = read.replace(tzinfo=now.tzinfo)
        if form in _DAY:
            at = at.replace(year=now.year, month=now.month, day=now.day)
            at -= timedelta(days=1) if at > now else timedelta()
        if at > now:
            raise InvalidRequest.one("--at", f"{said!r} has yet to come")
        whole = timedelta(seconds=1) if "%S" in form else timedelta(minutes=1)
        return min(at + whole - timedelta(microseconds=1), now)
    problem = "must be a time such as 14:05, 14:05:30 or 2026-11-25 14:05"
    raise InvalidRequest.one("--at", f"{problem}, is {said!r}")
