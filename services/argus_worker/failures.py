"""What went wrong inside torch, told apart by what can be done about it."""

from __future__ import annotations

import gc

import torch

from argus_core.errors import Exhausted

_CPU_ALLOCATOR = ("can't allocate memory", "not enough memory")
"""What torch's CPU allocator says; it raises a bare RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less work, or another time, might have succeeded."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _CPU_ALLOCATOR)


def is_broken_device(error: BaseException) -> bool:
    """Whether the device refuses all further work."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def to_caller(error: Exception) -> Exception:
    """The error as the caller shall see it."""
    if is_out_of_memory(error):
        return Exhausted("the image does not fit the worker's memory")
    return error


def free_memory() -> None:
    """Give back what allocators hold for later."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
