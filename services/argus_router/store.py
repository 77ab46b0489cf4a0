"""Images waiting to be fetched by URL: bounded in bytes and number, each for a limited time."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredImage:
    """An encoded image."""

    data: bytes
    mime: str
    expires: float
    """On the store's clock."""


class ImageStore:
    """Gives each image a name that cannot be guessed; the oldest go first when it is full."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        max_bytes: int = 256 * 1024 * 1024,
        max_images: int = 1024,
        seconds: float = 3600.0,
    ) -> None:
        self._clock = clock
        self._max_bytes, self._max_images, self._seconds = max_bytes, max_images, seconds
        self._images: OrderedDict[str, StoredImage] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._images)

    def put(self, data: bytes, mime: str) -> str:
        """Keep an image, and return its name."""
        name = secrets.token_urlsafe(24)
        self._images[name] = StoredImage(data, mime, self._clock() + self._seconds)
        self._bytes += len(data)
        self._tidy()
        return name

    def get(self, name: str) -> StoredImage | None:
        """The image of this name; None where it is over or never was."""
        self._tidy()
        return self._images.get(name)

    def _tidy(self) -> None:
        while self._images and self._must_go(next(iter(self._images.values()))):
            _, gone = self._images.popitem(last=False)
            self._bytes -= len(gone.data)

    def _must_go(self, oldest: StoredImage) -> bool:
        full = len(self._images) > self._max_images or self._bytes > self._max_bytes
        return full or oldest.expires <= self._clock()
