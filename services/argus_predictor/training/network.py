"""Fits a scorer's networks: all at once, each from its own start and with its own dropout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from argus_predictor.training.samples import Floats, Labels


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How networks are fitted; chosen by `bench/heads.py` on captions held out."""

    members: int = 8
    width: int = 32
    """Hidden units of each."""
    epochs: int = 30
    batch: int = 64
    rate: float = 6e-3
    """Of learning, at its greatest."""
    decay: float = 0.3
    """Of weights (AdamW)."""
    dropout: float = 0.2
    """Share of hidden units left out at a time."""
    label_weight: float = 0.1
    """Of a label served against a prompt of the profile, which was drawn with many seeds."""


class Networks(nn.Module):
    """Members of one hidden layer each, as one product."""

    def __init__(self, columns: int, levels: int, recipe: Recipe, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.generator, self.dropout = generator, recipe.dropout

        def drawn(*shape: int, fan: int) -> nn.Parameter:
            values = torch.rand(shape, generator=generator) * 2 - 1
            return nn.Parameter(values / fan**0.5)

        m, w = recipe.members, recipe.width
        self.hidden = drawn(columns, m * w, fan=columns)
        self.hidden_bias = drawn(m * w, fan=columns)
        self.out = drawn(m, w, levels, fan=w)
        self.out_bias = drawn(m, levels, fan=w)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Sums before the logistic, [members, prompts, levels]."""
        members, width, _ = self.out.shape
        units = nn.functional.silu(rows @ self.hidden + self.hidden_bias)
        if self.training and self.dropout:
            kept = torch.rand(units.shape, generator=self.generator) >= self.dropout
            units = units * kept / (1 - self.dropout)
        by_member = units.reshape(len(rows), members, width).transpose(0, 1)
        return by_member @ self.out + self.out_bias[:, None]


def fit(
    rows: Floats,
    targets: Floats,
    *,
    recipe: Recipe,
    seed: int,
    best: int | None,
    labels: tuple[Floats, Labels] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Floats]:
    """Networks for scaled rows, by name as the scorer has them.

    Args:
        rows: [prompts, columns].
        targets: [prompts, levels], 0 to 1.
        recipe: how.
        seed: the same gives the same, on the same machine.
        best: see `Samples`.
        labels: their scaled rows, and they; learnt from too.
        progress: is told the share done.
    """
    networks = Networks(rows.shape[1], targets.shape[1], recipe, seed)
    optimizer = torch.optim.AdamW(networks.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * -(-len(rows) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    inputs, wanted = torch.from_numpy(rows), torch.from_numpy(targets)
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(rows), generator=networks.generator)
        for chosen in order.split(recipe.batch):
            loss = _loss(networks(inputs[chosen]), wanted[chosen])
            if labels is not None and len(labels[0]):
                weight = recipe.label_weight * len(labels[0]) / len(rows) / targets.shape[1]
                loss = loss + weight * _label_loss(networks, labels, best)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        progress((epoch + 1) / recipe.epochs)
    return {name: value.detach().numpy() for name, value in networks.named_parameters()}


def _loss(sums: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, summed over members, as each is fitted by itself."""
    each = nn.functional.binary_cross_entropy_with_logits(
        sums, wanted.expand_as(sums), reduction="none"
    )
    return each.mean(dim=(1, 2)).sum()


def _label_loss(
    networks: Networks, labels: tuple[Floats, Labels], best: int | None
) -> torch.Tensor:
    """Of a batch of labels; doubled, a squared error is about as steep as cross-entropy."""
    rows, told = labels
    chosen = torch.randint(len(rows), (min(64, len(rows)),), generator=networks.generator)
    values = torch.sigmoid(networks(torch.from_numpy(rows)[chosen]))
    levels = torch.from_numpy(told.levels)[chosen]
    found = values[:, torch.arange(len(chosen)), levels]
    if best is not None:
        found = 1 - values[:, :, best] + found
    error = (found - torch.from_numpy(told.qualities)[chosen]) ** 2
    return 2 * error.mean(dim=1).sum()


def thread() -> None:
    """Leave the other cores to those who serve."""
    torch.set_num_threads(1)
