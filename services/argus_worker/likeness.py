"""Likenesses of modules: copies of their own over the same tensors."""

from __future__ import annotations

from typing import Any

from torch import nn


def shared_memory(components: dict[str, Any]) -> dict[int, Any]:
    """A memo by which `deepcopy` makes new modules over the same tensors."""
    memo: dict[int, Any] = {}
    for module in (part for part in components.values() if isinstance(part, nn.Module)):
        for parameter in module.parameters():
            memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
        memo.update({id(buffer): buffer for buffer in module.buffers()})
    return memo
