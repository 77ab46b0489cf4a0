"""Plots of a trained head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from argus_predictor.training import calibration, judging
from argus_predictor.training.making import Trained
from argus_predictor.training.report import Report
from argus_predictor.training.samples import Floats

mpl.use("Agg")

from matplotlib import pyplot as plt

_BINS = 8
_WIDTHS = np.linspace(0.25, 3, 12)


def draw(report: Report, trained: Trained, seconds: Floats | None, path: Path) -> None:
    """Predicted against measured; the share within so many deviations; what choosing gains."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.6), constrained_layout=True)
    _measured(left, trained)
    _within(middle, trained)
    if seconds is not None:
        for row in report.rows:
            right.plot(report.costs, row.gains or (), label=row.name)
        right.axhline(0, color="grey", lw=0.8)
        right.set(xlabel="mean seconds per image", ylabel="quality above the best blind mix",
                  title="What choosing by it gains")  # fmt: skip
        right.legend(frameon=False)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _measured(axes: Any, trained: Trained) -> None:
    samples = trained.unseen.samples
    mean = calibration.relative(samples, trained.unseen.outputs.values)
    for level, name in enumerate(samples.levels):
        if level == samples.best:
            continue
        groups = np.array_split(np.argsort(mean[:, level], kind="stable"), _BINS)
        axes.errorbar(
            [mean[rows, level].mean() for rows in groups],
            [samples.qualities[rows, level].mean() for rows in groups],
            [samples.qualities[rows, level].std() / np.sqrt(len(rows)) for rows in groups],
            marker="o", ms=4, lw=1, label=name,
        )  # fmt: skip
    axes.plot([0, 1], [0, 1], color="grey", lw=0.8)
    axes.set(xlabel="predicted quality", ylabel="measured quality",
             title="Prompts in eight groups by prediction")  # fmt: skip
    axes.legend(frameon=False)


def _within(axes: Any, trained: Trained) -> None:
    from scipy.stats import norm  # noqa: PLC0415 - slow to import

    samples = trained.unseen.samples
    mean = calibration.relative(samples, trained.unseen.outputs.values)
    deviation = trained.head.spread.deviation(mean, trained.unseen.outputs)
    for level, name in enumerate(samples.levels):
        if level != samples.best:
            shares = judging.coverage(
                mean[:, level], deviation[:, level], samples.qualities[:, level],
                samples.noise[:, level], _WIDTHS.tolist(),
            )  # fmt: skip
            axes.plot(_WIDTHS, shares, marker="o", ms=3, lw=1, label=name)
    axes.plot(_WIDTHS, 2 * norm.cdf(_WIDTHS) - 1, color="grey", lw=1.5, ls="--", label="normal")
    axes.set(xlabel="deviations", ylabel="share of measured qualities within",
             title="How wide the deviation is")  # fmt: skip
    axes.legend(frameon=False)
