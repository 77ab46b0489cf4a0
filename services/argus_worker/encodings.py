"""What prompts were turned into, kept for the next order that asks for the same.

Keyed on everything that the encoder is given and on which encoder it is, so a hit is what encoding
again would give, to the bit. Bounded in bytes, least recently used first to go; kept in host
memory, under digests: no prompt stays. Of the engine's thread, but for the counts.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping

import torch

from argus_worker.families.protocol import Conditioning, Rows
from argus_worker.order import Order
from argus_worker.residency import size

LIMIT = 256 * 2**20
"""Bytes; some 60 prompts of Flux, or 400 of SDXL."""


class Encodings:
    """Conditionings by what they were made from."""

    def __init__(self, *, limit_bytes: int = LIMIT) -> None:
        """0 keeps none."""
        self._limit = limit_bytes
        self._kept: OrderedDict[str, Conditioning] = OrderedDict()
        self.bytes = 0
        """Of host memory that they take."""
        self.reused, self.made = 0, 0
        """Orders whose encoding was here, and those for which the encoder ran."""

    def of(self, order: Order, device: torch.device) -> Conditioning:
        """The conditioning of an order, on the device; its tensors are never written to."""
        key = _key(order)
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            self.reused += 1
            return _moved(kept, device)
        self.made += 1
        made = order.held.family.encode(
            order.prompt,
            order.negative_prompt,
            scale=order.guidance_scale,
            width=order.width,
            height=order.height,
        )
        self._keep(key, made)
        return made

    def _keep(self, key: str, made: Conditioning) -> None:
        takes = _bytes(made)
        if takes > self._limit:
            return
        # A copy: rows may be parts of a larger tensor, which would stay with them.
        self._kept[key] = _copied(made)
        self.bytes += takes
        while self.bytes > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self.bytes -= _bytes(dropped)


def _key(order: Order) -> str:
    asked = (
        order.held.encoder,
        order.prompt,
        order.negative_prompt,
        order.guidance_scale,
        order.width,
        order.height,
    )
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _bytes(conditioning: Conditioning) -> int:
    return size(conditioning.positive.values()) + size((conditioning.negative or {}).values())


def _copied(made: Conditioning) -> Conditioning:
    def host(rows: Mapping[str, torch.Tensor]) -> Rows:
        return {name: row.clone() if row.is_cpu else row.cpu() for name, row in rows.items()}

    return Conditioning(
        positive=host(made.positive),
        negative=None if made.negative is None else host(made.negative),
    )


def _moved(kept: Conditioning, device: torch.device) -> Conditioning:
    def there(rows: Mapping[str, torch.Tensor]) -> Rows:
        return {name: row.to(device) for name, row in rows.items()}

    return Conditioning(
        positive=there(kept.positive),
        negative=None if kept.negative is None else there(kept.negative),
    )
