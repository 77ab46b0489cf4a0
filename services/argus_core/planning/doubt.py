"""What a change must gain before it is believed: other prompts will come than were sampled."""

from __future__ import annotations

from math import sqrt

import numpy as np

from argus_core.planning.blend import level_prices
from argus_core.planning.milp import Found
from argus_core.planning.program import Floats, Program


def least_gain(program: Program, standing: Found, proposal: Found) -> float:
    """Mean quality that a proposal must be better by than the standing plan.

    The value of a plan is the mean over prompts of what each gains at the plan's own prices, and a
    part that no prompt changes; so the mean of the differences is as sure as any mean of as many.
    """
    rules = program.problem.rules
    gained = _gains(program, proposal) - _gains(program, standing)
    error = float(gained.std()) / sqrt(len(gained))
    return rules.minimum_gain + rules.doubt * error


def _gains(program: Program, plan: Found) -> Floats:
    """By prompt: quality less price, of what it takes."""
    net = program.quality.copy()
    net[:, :-1] -= level_prices(program, plan.blended.row_price)
    return np.asarray(net.max(axis=1))
