"""Who a request is from: the tenant of its API key, or where there are no keys, whom it names."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from argus_core.errors import Forbidden, Unauthenticated
from argus_router.request import NOBODY
from argus_rpc.fresh import Fresh
from argus_rpc.keys import CONTROL, digest, parse_keys

AUTHORIZATION = "authorization"
"""The gRPC metadata and the HTTP header that carry a key."""
_SCHEME = "bearer "


class Gate:
    """Tells tenants; with a file of keys nobody passes without one."""

    def __init__(self, keys: Path | None = None) -> None:
        """`keys` is read anew when it changes.

        Raises:
            InvalidRequest: it cannot be read.
        """
        self._secret = secrets.token_bytes(32)
        self._tenants = Fresh([keys], lambda: self._read(keys)) if keys else None

    @property
    def keyed(self) -> bool:
        """Whether requests need API keys."""
        return self._tenants is not None

    def tenant(self, authorization: Sequence[str], named: Sequence[str]) -> str:
        """Whose a request is.

        Args:
            authorization: the `authorization` headers.
            named: the `argus-tenant` headers; they count only where there are no keys, and two
                names are none.

        Raises:
            Unauthenticated: there are keys, and this is none of them.
            Forbidden: it is the control service's.
        """
        if self._tenants is None:
            return ", ".join(named) if named else NOBODY
        holder = self._holder(authorization)
        if holder == CONTROL:
            raise Forbidden("this API key is for the control service only")
        return holder

    def control(self, authorization: Sequence[str]) -> None:
        """Let the control service's own callers pass; everybody where there are no keys.

        Raises:
            Unauthenticated, Forbidden: as `tenant` does.
        """
        if self._tenants is not None and self._holder(authorization) != CONTROL:
            raise Forbidden("this API key is not for the control service")

    def _holder(self, authorization: Sequence[str]) -> str:
        if len(authorization) != 1 or not authorization[0].lower().startswith(_SCHEME):
            raise Unauthenticated("needs an API key: `Authorization: Bearer KEY`")
        assert self._tenants is not None
        kept = digest(authorization[0][len(_SCHEME) :].strip())
        if (holder := self._tenants.get().get(self._blind(kept))) is None:
            raise Unauthenticated("this API key is not known here")
        return holder

    def _read(self, keys: Path) -> Mapping[bytes, str]:
        told = parse_keys(keys.read_text(encoding="utf-8"))
        return {self._blind(kept): tenant for kept, tenant in told.items()}

    def _blind(self, kept: bytes) -> bytes:
        """What a key is looked up by.

        A secret of this process is in it, so that the time that a look-up takes tells nothing of
        any key: how far two of these agree has nothing to do with how far the keys do.
        """
        return hashlib.blake2b(kept, key=self._secret, digest_size=32).digest()


def values(headers: Iterable[Any], name: str) -> list[str]:
    """What gRPC's metadata says under a name, as often as it does."""
    return [v if isinstance(v, str) else v.decode("latin-1") for key, v in headers if key == name]
