"""Who is signed in: a random name in a cookie stands for an API key. Pure: times come in.

Sessions live in this process alone, so that whoever restarts it signs everybody out.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

LASTS = 12 * 3600.0
"""Seconds from signing in."""
MOST = 200
"""Sessions; the oldest go first."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody who is signed in."""

    tenant: str
    """Whose key it is."""
    key: str
    """Said to routers with what is drawn for it."""
    until: float
    """When it ends, on the caller's clock."""


class Sessions:
    """All of them, by what their cookie says."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, tenant: str, key: str, now: float) -> str:
        """Sign in; returns what the cookie shall say."""
        kept = [(name, s) for name, s in self._sessions.items() if s.until > now]
        self._sessions = dict(kept[-(MOST - 1) :])
        name = secrets.token_urlsafe(32)
        self._sessions[_kept(name)] = Session(tenant=tenant, key=key, until=now + LASTS)
        return name

    def find(self, name: str, now: float) -> Session | None:
        """The session of a cookie; None where there is none, or its time is over."""
        session = self._sessions.get(_kept(name))
        return session if session is not None and session.until > now else None

    def end(self, name: str) -> None:
        """Sign out."""
        self._sessions.pop(_kept(name), None)


def _kept(name: str) -> bytes:
    """What is kept of a cookie: how long a look-up takes tells nothing of it."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).digest()
