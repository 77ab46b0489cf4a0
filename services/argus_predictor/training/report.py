"""What is known of a trained head, as figures and as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from argus_core.profile.document import ArgusProfile
from argus_predictor.training import calibration, judging
from argus_predictor.training.calibration import FOLDS, Unseen
from argus_predictor.training.comparing import Comparison
from argus_predictor.training.families import BASELINES
from argus_predictor.training.making import Trained
from argus_predictor.training.samples import Floats, Samples

PLOTS = "report.png"
"""Beside the page."""
HEAD = "this head"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A way of predicting, on prompts that it was not trained on."""

    name: str
    errors: tuple[float, ...]
    """By level: root mean square error of quality, the seeds' noise taken off."""
    gains: tuple[float, ...] | None
    """At `costs`: quality above the best prompt-blind mix; None where no seconds are known."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the page tells."""

    levels: tuple[str, ...]
    prompts: int
    rows: tuple[Row, ...]
    covered: tuple[float, float]
    """Share of measured qualities within one and two deviations, the best level left out."""
    strange: tuple[float, float] | None
    """Mean deviation on prompts like those of training, and on those with a word left out."""
    costs: tuple[float, ...]
    comparison: Comparison | None


def report_of(
    trained: Trained, profile: ArgusProfile, comparison: Comparison | None = None
) -> Report:
    """Figures of a training; baselines are trained on the same folds."""
    unseen, seconds = trained.unseen, seconds_of(profile, trained.head.levels)
    found = [(HEAD, calibration.relative(unseen.samples, unseen.outputs.values))]
    found += [(name, _by_fold(unseen.samples, name)) for name in BASELINES]
    rows = tuple(_row(name, predicted, unseen.samples, seconds) for name, predicted in found)
    return Report(
        levels=trained.head.levels,
        prompts=len(unseen.samples),
        rows=rows,
        covered=_covered(trained, unseen),
        strange=None if trained.foreign is None
        else (_deviation(trained, unseen), _deviation(trained, trained.foreign)),
        costs=() if seconds is None else tuple(judging.costs(seconds).tolist()),
        comparison=comparison,
    )  # fmt: skip


def seconds_of(profile: ArgusProfile, levels: Sequence[str]) -> Floats | None:
    """Seconds per image of each level, of the first device and size that all were timed on."""
    for device in profile.devices.values():
        sizes = [set(device.timings.get(level, {})) for level in levels]
        for size in sorted(set.intersection(*sizes)):
            batches = [device.timings[level][size] for level in levels]
            if all(1 in batch for batch in batches):
                return np.array([batch[1].seconds for batch in batches], np.float32)
    return None


def page(report: Report, *, version: str) -> str:
    """The page, in Markdown."""
    one, two = report.covered
    lines = [
        f"# Head {version}",
        "",
        f"Judged on {report.prompts} prompts, each by what four fifths of the others trained.",
        "Error is the root of the mean square, without the noise of the seeds drawn; gain is mean",
        "quality above the best mix that does not look at prompts, over mean costs from the",
        "cheapest level's to the dearest's.",
        "",
        "| | " + " | ".join(report.levels) + " | gain |",
        "|---|" + "---|" * (len(report.levels) + 1),
        *(_line(row) for row in report.rows),
        "",
        f"Of the measured qualities {one:.0%} are within one deviation of the prediction, and",
        f"{two:.0%} within two; a normal spread has 68 % and 95 %.",
        *_notes(report),
        "",
        f"![Calibration, and what choosing gains]({PLOTS})",
        "",
    ]
    return "\n".join(lines)


def _notes(report: Report) -> Iterator[str]:
    if report.strange is not None:
        usual, strange = report.strange
        yield ""
        yield f"Mean deviation {usual:.3f}; {strange:.3f} on prompts with a word never trained on."
    if report.comparison is not None:
        yield ""
        yield f"Against the head in place, on {report.comparison.prompts} prompts that no training"
        yield f"learns from: {report.comparison.reason}."


def _line(row: Row) -> str:
    gain = "" if row.gains is None else f"{np.mean(row.gains):+.4f}"
    return f"| {row.name} | " + " | ".join(f"{e:.3f}" for e in row.errors) + f" | {gain} |"


def _row(name: str, predicted: Floats, samples: Samples, seconds: Floats | None) -> Row:
    truth = samples.qualities
    gains = None if seconds is None else tuple(judging.gain(predicted, truth, seconds).tolist())
    errors = judging.errors(np.clip(predicted, 0, 1), truth, samples.noise)
    return Row(name=name, errors=tuple(errors.tolist()), gains=gains)


def _by_fold(samples: Samples, family: str) -> Floats:
    order = np.random.default_rng(0).permutation(len(samples))
    predicted = np.zeros_like(samples.qualities)
    for fold in np.array_split(order, FOLDS):
        rest = samples.taken(np.setdiff1d(order, fold))
        predicted[fold] = BASELINES[family](rest, samples.taken(fold))
    return predicted


def _covered(trained: Trained, unseen: Unseen) -> tuple[float, float]:
    samples = unseen.samples
    mean = calibration.relative(samples, unseen.outputs.values)
    deviation = trained.head.spread.deviation(mean, unseen.outputs)
    others = [level for level in range(len(samples.levels)) if level != samples.best]
    one, two = judging.coverage(
        mean[:, others], deviation[:, others], samples.qualities[:, others],
        samples.noise[:, others], (1, 2),
    )  # fmt: skip
    return one, two


def _deviation(trained: Trained, unseen: Unseen) -> float:
    mean = calibration.relative(unseen.samples, unseen.outputs.values)
    return float(trained.head.spread.deviation(mean, unseen.outputs).mean())
