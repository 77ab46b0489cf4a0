"""Weights as whole numbers of eight bits, with a scale for each row: half of float16's bytes.

Weights only: a product is taken in the model's own dtype. Codes and scales are plain tensors, so
they are mastered, shared and copied as all others are.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from argus_worker.blocks import blocks
from argus_worker.likeness import shared_memory

_MOST = 127


class Int8Linear(nn.Module):
    """A linear layer whose weight is `codes * scales`.

    `codes` is int8 `[out, in]`, `scales` `[out, 1]` in the layer's dtype; a row is off by half of
    its scale at most, which is its largest weight by 254.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach()
        largest = weight.float().abs().amax(dim=1, keepdim=True)
        scales = (largest / _MOST).to(weight.dtype)
        # A row of zeros, or one that is lost in the dtype, has no scale to be divided by.
        divisor = torch.where(scales == 0, torch.ones_like(scales), scales).float()
        codes = (weight.float() / divisor).round().clamp(-_MOST, _MOST).to(torch.int8)
        self.codes: torch.Tensor
        self.scales: torch.Tensor
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.bias = linear.bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """`[..., in]` to `[..., out]`."""
        weight = self.codes.to(self.scales.dtype) * self.scales
        return nn.functional.linear(states, weight, self.bias)


def quantized(net: Any) -> Any:
    """A likeness of a denoiser with the linear layers of its blocks in eight bits.

    All else is shared with the one it is made from, which stays as it is.
    """
    like = copy.deepcopy(net, shared_memory({"net": net}))
    for block in blocks(like):
        for owner in list(block.modules()):
            for name, child in list(owner.named_children()):
                if type(child) is nn.Linear:
                    setattr(owner, name, Int8Linear(child))
    return like.eval()
