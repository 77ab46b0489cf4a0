import math
import random

import pytest

from argus_predictor.drift import FEWEST, WINDOW, Drift


def drift(errors, level="large"):
    found = Drift(["large", "small"])
    for error in errors:
        found.heard(level, predicted=0.5, measured=0.5 + error)
    return found


def test_nothing_is_said_of_a_level_without_labels():
    error = drift([]).error("large")
    assert (error.labels, error.margin) == (0, math.inf)
    assert not error.drifted


def test_few_labels_are_no_drift_however_wrong():
    found = drift([0.4, 0.401] * (FEWEST // 2 - 1))
    assert not found.error("large").drifted
    assert found.correction("large") == 0


def test_errors_that_scatter_about_nothing_are_no_drift():
    rng = random.Random(1)
    assert not drift([rng.gauss(0, 0.2) for _ in range(WINDOW)]).error("large").drifted


def test_steady_error_is_drift_and_corrects_its_own_level_alone():
    rng = random.Random(2)
    found = drift([rng.gauss(-0.2, 0.1) for _ in range(WINDOW)])
    assert found.error("large").drifted
    assert found.correction("large") == pytest.approx(-0.2, abs=0.03)
    assert found.correction("small") == 0


def test_sure_but_small_error_is_tolerated():
    assert not drift([0.01] * WINDOW).error("large").drifted


def test_old_labels_make_room_and_another_head_begins_anew():
    found = drift([0.5] * WINDOW + [0.0] * WINDOW)
    assert found.error("large").mean == 0
    found.forget()
    assert found.error("large").labels == 0


def test_levels_that_there_are_not_are_not_learnt_of():
    assert set(drift([0.1] * 30, level="huge").errors()) == {"large", "small"}
