"""Stated minimums and maximums of variants reach the planner, with the limits against reversals."""

import pytest

from argus_core.control import _both
from argus_core.planning.problem import Limits


@pytest.mark.parametrize(
    ("stated", "limits", "both"),
    [
        (Limits(minimum=1), Limits(), Limits(minimum=1)),
        (Limits(minimum=1), Limits(maximum=0), Limits(minimum=0, maximum=0)),
        (Limits(minimum=0, maximum=3), Limits(minimum=2), Limits(minimum=2, maximum=3)),
        (Limits(minimum=0, maximum=3), Limits(minimum=5), Limits(minimum=3, maximum=3)),
        (Limits(maximum=3), Limits(maximum=2), Limits(maximum=2)),
    ],
)
def test_the_tighter_bound_holds_and_a_maximum_beats_a_minimum(stated, limits, both):
    assert _both(stated, limits) == both
