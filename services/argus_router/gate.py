"""Who a request is from: the tenant of its API key, or where there are no keys, whom it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from argus_core.errors import Forbidden, Unauthenticated
from argus_router.request import NOBODY
from argus_rpc.keys import CONTROL, KeyRing

AUTHORIZATION = "authorization"
"""The gRPC metadata and the HTTP header that carry a key."""
_SCHEME = "bearer "


class Gate:
    """Tells tenants; with files of keys nobody passes without one."""

    def __init__(self, *keys: Path) -> None:
        """`keys` are read anew when they change.

        Raises:
            InvalidRequest: one cannot be read.
        """
        self._keys = KeyRing(*keys) if keys else None

    @property
    def keyed(self) -> bool:
        """Whether requests need API keys."""
        return self._keys is not None

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
        if self._keys is None:
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
        if self._keys is not None and self._holder(authorization) != CONTROL:
            raise Forbidden("this API key is not for the control service")

    def _holder(self, authorization: Sequence[str]) -> str:
        if len(authorization) != 1 or not authorization[0].lower().startswith(_SCHEME):
            raise Unauthenticated("needs an API key: `Authorization: Bearer KEY`")
        assert self._keys is not None
        return self._keys.holder(authorization[0][len(_SCHEME) :].strip())


def values(headers: Iterable[Any], name: str) -> list[str]:
    """What gRPC's metadata says under a name, as often as it does."""
    return [v if isinstance(v, str) else v.decode("latin-1") for key, v in headers if key == name]
