"""A latent as it lies in a store: framed, so that only what was put is ever taken out.

Layout, big-endian: magic (8 bytes), format version (2), length of the header (4), length of the
payload (8), which secret it was written with (4), the header as JSON, the payload as it was given,
and a BLAKE2b checksum (32) of all that stands before it. With a secret the checksum is keyed: who
lacks it can neither forge a frame nor have one of his taken for sound.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from argus_latents.misses import Miss, Reason
from argus_latents.store import Entry

VERSION = 1
_MAGIC = b"ARGUSLAT"
_HEAD = struct.Struct(">8sHIQ4s")
_DIGEST = 32


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a latent is looked for by, and must say of itself."""

    key: str
    step: int
    scope: str
    compatibility: str


def seal(payload: bytes, label: Label, *, expires: float, secret: bytes) -> bytes:
    """A frame of the payload; `expires` in seconds since 1970."""
    header = json.dumps({**asdict(label), "expires": expires}).encode()
    body = _HEAD.pack(_MAGIC, VERSION, len(header), len(payload), _name(secret)) + header + payload
    return body + _digest(body, secret)


def seal_all(entry: Entry, latents: Mapping[int, bytes], secret: bytes) -> dict[int, bytes]:
    """Frames of all latents of an entry, by step."""
    return {step: _seal_step(entry, step, latents[step], secret) for step in entry.steps}


def _seal_step(entry: Entry, step: int, latent: bytes, secret: bytes) -> bytes:
    label = Label(key=entry.key, step=step, scope=entry.scope, compatibility=entry.compatibility)
    return seal(latent, label, expires=entry.expires, secret=secret)


def unseal(frame: bytes, label: Label, *, now: float, secret: bytes) -> bytes:
    """The payload of a frame that is sound and of this label.

    Raises:
        Miss: it is not; the reason says how.
    """
    header_length = _check(frame, secret)
    body = memoryview(frame)[:-_DIGEST]
    start = _HEAD.size + header_length
    header = json.loads(bytes(body[_HEAD.size : start]))
    for field, reason in _FIELDS.items():
        if header[field] != getattr(label, field):
            raise Miss(reason)
    if header["expires"] <= now:
        raise Miss(Reason.EXPIRED)
    return bytes(body[start:])


def is_spoilt(frame: bytes, *, secret: bytes) -> bool:
    """Whether it was ours, and is of no use to anyone any more."""
    try:
        _check(frame, secret)
    except Miss as miss:
        return miss.reason in (Reason.TRUNCATED, Reason.CORRUPT)
    return False


_FIELDS = {
    "key": Reason.KEY,
    "step": Reason.STEP,
    "scope": Reason.SCOPE,
    "compatibility": Reason.COMPATIBILITY,
}


def _check(frame: bytes, secret: bytes) -> int:
    """The header's length, where the frame is ours and whole."""
    view = memoryview(frame)
    if len(view) < _HEAD.size:
        raise Miss(Reason.TRUNCATED)
    magic, version, header, payload, name = _HEAD.unpack_from(view)
    if magic != _MAGIC:
        raise Miss(Reason.FORMAT)
    if version != VERSION:
        raise Miss(Reason.VERSION)
    if name != _name(secret):
        raise Miss(Reason.SECRET)
    if len(view) != _HEAD.size + header + payload + _DIGEST:
        raise Miss(Reason.TRUNCATED)
    if not hmac.compare_digest(view[-_DIGEST:], _digest(view[:-_DIGEST], secret)):
        raise Miss(Reason.CORRUPT)
    length: int = header
    return length


def _name(secret: bytes) -> bytes:
    """Tells secrets apart, and nothing about them that the checksums do not."""
    return hashlib.blake2b(secret, digest_size=4, person=b"argus secret").digest()


def _digest(body: bytes | memoryview, secret: bytes) -> bytes:
    key = hashlib.blake2b(secret).digest() if secret else b""
    return hashlib.blake2b(body, digest_size=_DIGEST, key=key, person=b"argus latent").digest()
