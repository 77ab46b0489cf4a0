"""Weights of one model: a master in host memory, and a copy on the device while it serves.

Invariants: masters are memory of our own, never a mapping of a file, so that nothing is read
from disk once they are made; they never change, so nothing is ever copied back; on a CPU the
master is what serves. Tensors that are tied stay tied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class _Place:
    """Where a tensor hangs."""

    owner: nn.Module
    name: str
    master: torch.Tensor


class Residency:
    """Brings the modules given to a device, and drops them from it."""

    def __init__(self, modules: Iterable[nn.Module], device: torch.device) -> None:
        self._device = device
        masters: dict[int, torch.Tensor] = {}
        places = [place for module in modules for place in _places(module)]
        for place in places:
            if id(place.master) not in masters:
                masters[id(place.master)] = self._own(place.master)
        self._places = [_Place(p.owner, p.name, masters[id(p.master)]) for p in places]
        self.bytes = sum(tensor.numel() * tensor.element_size() for tensor in masters.values())
        """Of host memory."""
        self.put_out()

    def bring_in(self) -> None:
        """Have the modules compute on the device."""
        copies: dict[int, torch.Tensor] = {}
        for place in self._places:
            key = id(place.master)
            if key not in copies:
                copies[key] = self._copy(place.master)
            setattr(place.owner, place.name, copies[key])
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def put_out(self) -> None:
        """Drop what is on the device."""
        for place in self._places:
            setattr(place.owner, place.name, place.master)

    def _own(self, tensor: torch.Tensor) -> torch.Tensor:
        data = tensor.detach()
        owned = data.pin_memory() if self._device.type == "cuda" else data.clone()
        return _alike(tensor, owned)

    def _copy(self, master: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cpu":
            return master
        return _alike(master, master.detach().to(self._device, non_blocking=True))


def _alike(original: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    if isinstance(original, nn.Parameter):
        return nn.Parameter(data, requires_grad=False)
    return data


def _places(module: nn.Module) -> Iterator[_Place]:
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False, remove_duplicate=False):
            yield _Place(owner, name, parameter)
        for name, buffer in owner.named_buffers(recurse=False, remove_duplicate=False):
            yield _Place(owner, name, buffer)
