"""What every latent store offers. Bytes in, the same bytes out, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from argus_latents.misses import Reason


class StoreFailed(Exception):
    """The store did not do what it was asked: down, too slow, full; the message says which."""


class StoreFull(StoreFailed):
    """There is no room for another entry until some are evicted."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is kept of one image: its latents after some steps, and how it is found again."""

    key: str
    """32 hex digits, drawn at random by who stores it."""
    scope: str
    """Whose it is: a tenant, or a word that all share."""
    compatibility: str
    """See `argus_core.latents`."""
    steps: tuple[int, ...]
    """After which latents were kept; ascending, at least one."""
    embedding: bytes
    """Of the prompt: unit length, float16, little-endian."""
    encoder: str
    """That made the embedding."""
    bytes: int
    """Of all its latents together."""
    seconds_per_step: float
    """That drawing a step took: what a later start from it saves, a step."""
    created: float
    """Seconds since 1970."""
    expires: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """An entry can be had now."""

    entry: Entry


@dataclass(frozen=True, kw_only=True)
class Used:
    """An image was begun from an entry's latent."""

    key: str
    step: int
    at: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """An entry cannot be had any longer."""

    key: str


Change = Added | Used | Gone


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a store holds."""

    entries: int
    bytes: int
    max_bytes: int


class Store(Protocol):
    """A latent store; all methods are for one event loop, and none takes longer than its timeout.

    Any process of any machine that reaches it may put, get and delete at once.
    """

    misses: Counter[Reason]
    """How often `get` found no sound latent, by the reason; only ever grows."""

    async def put(self, entry: Entry, latents: Mapping[int, bytes]) -> None:
        """Keep an entry's latents, by step; it is found by `changes` only once all are there.

        Raises:
            StoreFull: nothing was kept.
            StoreFailed: nothing was kept; all of it may yet be where the store was only too slow.
        """

    async def get(self, key: str, step: int, *, scope: str, compatibility: str) -> bytes | None:
        """A latent as it was put; None for a miss.

        Missing, expired, corrupt, of another scope, compatibility, step or format: all are misses,
        and are counted by their reason.

        Raises:
            StoreFailed: it is not known whether it is there.
        """

    async def used(self, key: str, step: int) -> None:
        """Tell others that an entry was of use; lost in silence where the store fails."""

    async def delete(self, keys: Collection[str]) -> None:
        """Forget entries; those that are not there are forgotten already.

        Raises:
            StoreFailed: some may still be there.
        """

    async def mend(self, key: str, step: int) -> None:
        """Forget an entry of which nothing is there, or whose latent is spoilt; told after a miss.

        What is sound, or another's to judge, stays; lost in silence where the store fails.
        """

    def changes(self) -> AsyncIterator[Sequence[Change]]:
        """All that is there now, as `Added`, in some first batches, then what changes; for ever.

        Waits through failures of the store, and begins anew with all that is there after one: a
        follower must be ready to hear `Added` again of what it knows. An empty batch says that all
        of what there was has been told.
        """

    async def lead(self, name: str, seconds: float) -> bool:
        """Whether this process alone is `name` for so many seconds from now; ask again before.

        Raises:
            StoreFailed: it is not known.
        """

    async def usage(self) -> Usage:
        """What it holds.

        Raises:
            StoreFailed: it does not say.
        """

    async def close(self) -> None:
        """Let go of it."""
