"""Who may ask: hosts, origins, sessions; and what every answer says to browsers.

Model: without keys the console is for this machine alone, and a page elsewhere must not reach it
by a name that it had resolve to here: so the host must be a loopback one. With keys a request
needs a session's cookie or a bearer key. Whatever changes something needs a header that no other
site's page can send unasked, and an origin that is this one where the browser names one.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from argus_console.sessions import LASTS, Session, Sessions
from argus_core.errors import Forbidden, InvalidRequest, Unauthenticated
from argus_rpc.keys import CONTROL, KeyRing

COOKIE = "argus-console"
ASKED = "argus-console"
"""The header of whatever changes something; any value will do."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SCHEME = "bearer "
_OPEN = Session(tenant="", key="", until=float("inf"))
"""Of everybody, where there are no keys."""


class Guard:
    """Tells who asks, or refuses."""

    def __init__(self, keys: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`keys` is the routers' file of API keys, followed; None lets this machine in.

        Raises:
            InvalidRequest: it cannot be read.
        """
        self._keys = KeyRing(keys) if keys else None
        self._sessions, self._clock = Sessions(), clock

    @property
    def keyed(self) -> bool:
        """Whether one has to sign in."""
        return self._keys is not None

    def host(self, request: web.Request) -> None:
        """Refuse what was sent to a name that is not ours.

        Raises:
            Forbidden: without keys only loopback names are.
        """
        if self._keys is None and not loopback(request.host):
            raise Forbidden("without API keys the console answers on loopback names only")

    def change(self, request: web.Request) -> None:
        """Refuse what another site's page may have sent.

        Raises:
            Forbidden: it may have.
        """
        origin = request.headers.get("Origin")
        if ASKED not in request.headers or (
            origin is not None and urlsplit(origin).netloc != request.host
        ):
            raise Forbidden(f"a change needs the header `{ASKED}`, and no other origin")

    def find(self, request: web.Request) -> Session | None:
        """Whose a request is; None for nobody's.

        Raises:
            Unauthenticated: it shows a key that is not known.
        """
        if self._keys is None:
            return _OPEN
        shown = request.headers.get("Authorization", "")
        if shown.lower().startswith(_SCHEME):
            key = shown[len(_SCHEME) :].strip()
            return Session(tenant=self._keys.holder(key), key=key, until=self._clock())
        session = self._sessions.find(request.cookies.get(COOKIE, ""), self._clock())
        if session is not None:
            self._keys.holder(session.key)  # It may have been withdrawn since.
        return session

    def require(self, request: web.Request) -> Session:
        """Whose a request is.

        Raises:
            Unauthenticated: nobody's.
        """
        if (session := self.find(request)) is None:
            raise Unauthenticated("sign in with an API key first")
        return session

    def sign_in(self, key: str, request: web.Request, response: web.StreamResponse) -> str:
        """Begin a session, by a cookie of the response; returns its tenant.

        Raises:
            Unauthenticated: the key is not known.
            InvalidRequest: there is nothing to sign in to.
        """
        if self._keys is None:
            raise InvalidRequest.one("key", "there are no keys here: everybody may come in")
        tenant = self._keys.holder(key)
        response.set_cookie(
            COOKIE,
            self._sessions.begin(tenant, key, self._clock()),
            max_age=int(LASTS),
            httponly=True,
            samesite="Strict",
            # Where it is plain HTTP to elsewhere the browser drops it, as it should.
            secure=not loopback(request.host),
        )
        return tenant

    def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the session of a request."""
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response.del_cookie(COOKIE, httponly=True, samesite="Strict")


def may_draw(session: Session) -> bool:
    """Whether routers would draw for it: keys of the control service are for looking on."""
    return session.tenant != CONTROL


def loopback(host: str) -> bool:
    """Whether a `HOST` or `HOST:PORT` is this machine's own."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
