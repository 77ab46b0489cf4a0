"""API keys at rest: a file of lines `tenant: sha256:HEX`, which tell no key.

A key is 256 random bits, so that a bare SHA-256 keeps it: there is nothing to guess, and so
nothing that salt or a slow hash would make harder. Lines may be empty or comments (`#`); a tenant
may have several keys, so that they can be changed one after the other.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from argus_core.errors import InvalidRequest, Unauthenticated
from argus_rpc.fresh import Fresh

CONTROL = "_control_"
"""Whose keys open the control service, and nothing else; no tenant can have this name."""
_PREFIX = "argus-"
"""So that a key that was lost is known for one."""
_LINE = re.compile(
    r"(?P<tenant>[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?|_control_)\s*:\s*"
    r"sha256:(?P<digest>[0-9a-f]{64})"
)


def new_key() -> str:
    """A key that was never there before."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def line(tenant: str, key: str) -> str:
    """What the file of keys has to say of a key."""
    return f"{tenant}: sha256:{digest(key).hex()}"


def parse_keys(text: str) -> Mapping[bytes, str]:
    """The tenants in a file of keys, by what is kept of each key.

    Raises:
        InvalidRequest: a line makes no sense, or two tenants have one key.
    """
    tenants = dict[bytes, str]()
    for number, raw in enumerate(text.splitlines(), start=1):
        if not (stripped := raw.strip()) or stripped.startswith("#"):
            continue
        # The line itself is not told: it may be a key that was put there by mistake.
        if (match := _LINE.fullmatch(stripped)) is None:
            raise InvalidRequest.one(f"line {number}", "must be `tenant: sha256:HEX`")
        tenant, kept = match["tenant"], bytes.fromhex(match["digest"])
        if tenants.setdefault(kept, tenant) != tenant:
            raise InvalidRequest.one(f"line {number}", "another tenant has this key")
    return tenants


class KeyRing:
    """The keys in files, which are read anew when one of them changes."""

    def __init__(self, *paths: Path) -> None:
        """Reads them.

        Raises:
            InvalidRequest: one cannot be read.
        """
        self._secret = secrets.token_bytes(32)
        self._tenants = Fresh(paths, lambda: self._read(paths))

    def holder(self, key: str) -> str:
        """Whose key it is.

        Raises:
            Unauthenticated: it is nobody's.
        """
        if (found := self._tenants.get().get(self._blind(digest(key)))) is None:
            raise Unauthenticated("this API key is not known here")
        return found

    def _read(self, paths: Sequence[Path]) -> Mapping[bytes, str]:
        found = dict[bytes, str]()
        for path in paths:
            for kept, tenant in parse_keys(path.read_text(encoding="utf-8")).items():
                if found.setdefault(self._blind(kept), tenant) != tenant:
                    raise InvalidRequest.one(path.name, "another tenant has one of its keys")
        return found

    def _blind(self, kept: bytes) -> bytes:
        """What a key is looked up by.

        A secret of this process is in it, so that the time that a look-up takes tells nothing of
        any key: how far two of these agree has nothing to do with how far the keys do.
        """
        return hashlib.blake2b(kept, key=self._secret, digest_size=32).digest()
