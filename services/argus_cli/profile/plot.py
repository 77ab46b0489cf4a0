"""The picture of a profile: what each level takes against what it gives, as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from argus_cli.simulate import palette
from argus_core.profile.document import ArgusProfile
from argus_core.profile.figures import priors, qualities

DOTS = 144
"""An inch."""


def draw(profile: ArgusProfile, path: Path) -> None:
    """Time against quality of every level, with the quarters of prompts around the middle."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    figure = Figure(figsize=(8, 5), layout="constrained")
    axis = figure.add_subplot()
    means, by_prompt = priors(profile), np.array(qualities(profile))
    gpu = next(iter(profile.devices))
    timings = profile.devices[gpu].timings
    variants = list(dict.fromkeys(level.variant for level in profile.ladder))
    colours = palette.variant_colours(variants)
    for i, level in enumerate(profile.ladder):
        for at, by_batch in list(timings.get(level.name, {}).items())[:1]:
            timing = by_batch[min(by_batch)]
            mean, milliseconds = means[level.name], 1000 * timing.seconds
            low, high = np.quantile(by_prompt[:, i], (0.25, 0.75))
            axis.errorbar(
                milliseconds,
                mean,
                xerr=1000 * timing.deviation,
                yerr=[[max(0.0, mean - low)], [max(0.0, high - mean)]],
                fmt="D" if level.skipped_steps else "o",
                color=colours[level.variant],
                ecolor=palette.FAINT,
                elinewidth=1,
                capsize=3,
                markersize=8,
            )
            axis.annotate(
                level.name, (milliseconds, mean), xytext=(7, -14), textcoords="offset points"
            )
            axis.set_xlabel(f"milliseconds per image at {at} on {gpu}, ± deviation")
    axis.set_ylabel("quality: mean, and the middle half of prompts")
    axis.set_title("What each level takes and gives (diamonds begin from a cached latent)")
    axis.grid(visible=True, color=palette.GRID)
    axis.set_axisbelow(True)
    axis.set_xscale("log")
    axis.margins(x=0.15)  # names stand right of their points
    axis.set_ylim(-0.03, 1.06)
    figure.savefig(path, dpi=DOTS)
