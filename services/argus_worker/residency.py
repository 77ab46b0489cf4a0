"""Weights: masters in host memory, and copies on the device of those that serve.

Invariants: masters are memory of our own, never a mapping of a file, so that nothing is read
from disk once they are made; they never change, so nothing is ever copied back; on a CPU the
master is what serves. Tensors that are tied stay tied, and tensors of the same bits are held
once, whatever models they belong to.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Pointer = tuple[int, torch.Size, torch.dtype]

_PROBES = 64
"""Elements of a tensor that are looked at before all are."""
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What a change of the device's weights took, in bytes."""

    moved: int
    """Copied from host memory."""
    kept: int
    """On the device already."""


class Weights:
    """The masters of all models, and the device's copies; of one thread."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._alike: dict[tuple[Any, ...], list[weakref.ref[torch.Tensor]]] = {}
        self._copies: dict[Pointer, torch.Tensor] = {}

    def own(self, tensor: torch.Tensor) -> torch.Tensor:
        """The master of these bits; made where there is none yet."""
        data = tensor.detach()
        key = (data.shape, data.stride(), data.dtype, _probe(data))
        masters = [master for ref in self._alike.get(key, []) if (master := ref()) is not None]
        for master in masters:
            if master.data_ptr() == data.data_ptr() or torch.equal(_bits(master), _bits(data)):
                return master
        made = data.pin_memory() if self.device.type == "cuda" else data.clone()
        self._alike[key] = [weakref.ref(master) for master in (*masters, made)]
        return made

    def show(self, residencies: Iterable[Residency]) -> Moved:
        """Have these on the device, and nothing else; what they share is copied once."""
        residencies = list(residencies)
        wanted = {pointer(m): m for residency in residencies for m in residency.masters}
        self._copies = {key: copy for key, copy in self._copies.items() if key in wanted}
        if self.device.type == "cpu":
            return Moved(moved=0, kept=size(wanted.values()))
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        lacking = {key: master for key, master in wanted.items() if key not in self._copies}
        kept = size(wanted[key] for key in self._copies)
        for key, master in lacking.items():
            self._copies[key] = master.to(self.device, non_blocking=True)
        for residency in residencies:
            residency.point_to(self._copies)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return Moved(moved=size(lacking.values()), kept=kept)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a tensor hangs; places of one tie hang on the same."""

    owner: nn.Module
    name: str
    tie: int


class Residency:
    """The weights of the modules given: where they hang, and their masters."""

    def __init__(self, modules: Iterable[nn.Module], weights: Weights) -> None:
        ties: dict[int, int] = {}
        self._places: list[_Place] = []
        self._homes: list[torch.Tensor] = []
        self.masters: list[torch.Tensor] = []
        """Other models may have some of them, too."""
        for owner, name, tensor in [place for module in modules for place in _places(module)]:
            if (tie := ties.setdefault(id(tensor), len(ties))) == len(self._homes):
                self.masters.append(weights.own(tensor))
                self._homes.append(_like(tensor, self.masters[-1]))
            self._places.append(_Place(owner=owner, name=name, tie=tie))
        self.put_out()

    @property
    def bytes(self) -> int:
        """Of host memory, were it not for other models."""
        return size({pointer(master): master for master in self.masters}.values())

    def point_to(self, copies: Mapping[Pointer, torch.Tensor]) -> None:
        """Have the modules compute with copies, by their masters' pointers."""
        self._hang([_like(home, copies[pointer(home)]) for home in self._homes])

    def put_out(self) -> None:
        """Have them hold nothing but masters."""
        self._hang(self._homes)

    def _hang(self, tensors: list[torch.Tensor]) -> None:
        for place in self._places:
            setattr(place.owner, place.name, tensors[place.tie])


def pointer(tensor: torch.Tensor) -> Pointer:
    """Tells masters apart; empty ones need not be."""
    return tensor.data_ptr(), tensor.shape, tensor.dtype


def size(tensors: Iterable[torch.Tensor]) -> int:
    """In bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _like(original: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    if isinstance(original, nn.Parameter):
        return nn.Parameter(data, requires_grad=False)
    return data


def _probe(data: torch.Tensor) -> tuple[Any, ...]:
    flat = data.reshape(-1)
    return tuple(_bits(flat[:: max(1, flat.numel() // _PROBES)]).tolist())


def _bits(data: torch.Tensor) -> torch.Tensor:
    """As whole numbers: zeros of either sign differ, and what is not a number equals itself."""
    if data.is_complex():
        data = torch.view_as_real(data)
    return data.contiguous().view(_BITS[data.element_size()])


def _places(module: nn.Module) -> Iterator[tuple[nn.Module, str, torch.Tensor]]:
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False, remove_duplicate=False):
            yield owner, name, parameter
        for name, buffer in owner.named_buffers(recurse=False, remove_duplicate=False):
            yield owner, name, buffer
