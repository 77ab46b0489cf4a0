"""Batches: which samples stand together, and one forward for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import torch

from argus_worker.families.protocol import Family, Rows
from argus_worker.sample import Sample

Key = tuple[str, torch.Size, int]


def groups(samples: Iterable[Sample]) -> list[list[Sample]]:
    """Samples that may share a forward, in order of arrival: same variant, same shape.

    One with a denoiser of its own stands alone.
    """
    together: dict[Key, list[Sample]] = {}
    for sample in samples:
        together.setdefault(key(sample), []).append(sample)
    return list(together.values())


def key(sample: Sample) -> Key:
    """What samples must share to share a forward."""
    alone = id(sample) if sample.net is not None else 0
    return sample.order.held.variant, sample.latent.shape, alone


def predict(samples: Sequence[Sample]) -> list[torch.Tensor]:
    """Each sample's guided prediction for its own next step, from one forward.

    Changes no sample, so that it can be tried again with fewer.
    """
    family = samples[0].order.held.family
    guided = [sample for sample in samples if sample.conditioning.negative is not None]
    standing = [*guided, *samples]
    inputs = {id(sample): sample.model_input() for sample in samples}
    latents = torch.cat([inputs[id(sample)] for sample in standing])
    timesteps = torch.stack([sample.timestep for sample in standing]).to(latents.device)
    negative = [sample.conditioning.negative for sample in guided]
    rows = _join([*(n for n in negative if n is not None)], samples)
    net = samples[0].net
    with family.kernels(), nullcontext() if net is None else family.using(net):
        output = family.predict(latents, timesteps, rows)
    predictions = [output[i : i + 1] for i in range(len(standing))]
    unconditional = dict(zip(map(id, guided), predictions, strict=False))
    conditional = predictions[len(guided) :]
    return [
        _guide(family, unconditional.get(id(sample)), row, sample.order.guidance_scale)
        for sample, row in zip(samples, conditional, strict=True)
    ]


def _join(negative: list[Rows], samples: Sequence[Sample]) -> Rows:
    standing = [*negative, *(sample.conditioning.positive for sample in samples)]
    return {name: _stack([rows[name] for rows in standing]) for name in standing[0]}


def _stack(rows: list[torch.Tensor]) -> torch.Tensor:
    """One below the other; shorter prompts are filled up with zeros, which their mask rows tell."""
    if rows[0].dim() > 1:
        longest = max(row.shape[1] for row in rows)
        rows = [
            row
            if row.shape[1] == longest
            else torch.cat([row, row.new_zeros(1, longest - row.shape[1], *row.shape[2:])], dim=1)
            for row in rows
        ]
    return torch.cat(rows)


def _guide(
    family: Family, unconditional: torch.Tensor | None, conditional: torch.Tensor, scale: float
) -> torch.Tensor:
    if unconditional is None:
        return conditional
    return family.guide(unconditional, conditional, scale)
