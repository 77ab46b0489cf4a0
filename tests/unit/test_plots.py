"""Pictures are looked at as pixels: of the size meant, not blank, in the colours meant."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from argus_cli.simulate import palette
from argus_cli.simulate.panels import comparison_board, run_board
from argus_cli.simulate.plots import DOTS, Reached, draw_board, draw_frontier
from argus_cli.simulate.statistics import Interval
from argus_core.policies.registry import POLICIES
from argus_core.simulator.series import IDLE
from simulate_support import comparison, run, series

WIDTH = 9 * DOTS


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def share_of(picture, colour, *, within=12):
    """Share of the pixels that have about this colour."""
    return float((np.abs(picture - rgb(colour)).max(axis=2) <= within).mean())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    boards = {
        "run": run_board(run(), "three bursts"),
        "compare": comparison_board(comparison(*POLICIES), "three bursts"),
    }
    for name, board in boards.items():
        draw_board(board, folder / f"{name}.png")
    return {name: pixels(folder / f"{name}.png") for name in boards}


@pytest.mark.parametrize("name", ["run", "compare"])
def test_a_picture_has_its_size_and_four_panels_with_something_in_each(pictures, name):
    picture = pictures[name]
    height, width, _ = picture.shape
    assert width == WIDTH
    assert height > width
    below_the_head = picture[int(0.8 * DOTS) :, : int(0.8 * width)]
    for panel in np.array_split(below_the_head, 4):
        drawn = (panel < 200).any(axis=2).mean()
        assert 0.005 < drawn < 0.8


def test_a_run_shows_its_variants_in_their_colours_and_no_variant_that_nobody_held(pictures):
    colours = palette.variant_colours(["large", "small", "tiny", IDLE])
    shares = {name: share_of(pictures["run"], colour) for name, colour in colours.items()}
    assert shares["large"] > 0.05
    assert shares["small"] > 0.02
    assert shares[IDLE] > 0.002
    assert shares["tiny"] == 0


def test_a_comparison_shows_every_policy_in_its_own_colour(pictures):
    for name in POLICIES:
        assert share_of(pictures["compare"], palette.POLICIES[name]) > 2e-4, name


def test_a_run_of_one_bucket_without_any_image_is_drawn_too(tmp_path):
    one = series(buckets=1)
    empty = replace(one, quality=one.quality * np.nan, in_time=one.in_time * 0)
    draw_board(run_board(replace(run(), series=empty), ""), tmp_path / "one.png")
    assert pixels(tmp_path / "one.png").shape[1] == WIDTH


def test_the_frontier_shows_a_line_a_policy(tmp_path):
    loads = (10, 20, 40)
    reached = {
        name: [Reached(load=x, violations=x * slope / 100, quality=1 - x / 200) for x in loads]
        for name, slope in (("argus", 0.1), ("paper", 0.3), ("argus-unpriced", 0.2))
    }
    reached["clipper-ht"] = [Reached(load=x, violations=0.0, quality=0.8) for x in loads]
    drawn = list(reached)
    reached["argus-flat"] = []
    path = tmp_path / "frontier.png"
    draw_frontier(reached, path, title="Eight GPUs", load="requests a second")
    picture = pixels(path)
    assert picture.shape[1] == WIDTH
    for name in drawn:
        assert share_of(picture, palette.policy_colour(name, list(reached))) > 1e-4, name


# Boards


def test_time_is_told_in_the_unit_that_fits():
    def unit(bucket):
        told = replace(series(), bucket=bucket, start=np.arange(40) * bucket)
        board = run_board(replace(run(), series=told), "")
        return board.unit, float(board.x[1] - board.x[0])

    assert unit(1.0) == ("seconds", 1.0)
    assert unit(30.0) == ("minutes", 0.5)
    assert unit(600.0) == ("hours", pytest.approx(1 / 6))
    assert unit(86_400.0) == ("days", 1.0)


def test_points_are_means_over_seeds_with_their_intervals():
    *_, panel = comparison_board(comparison("argus", "paper"), "").panels
    point = panel.points[0]
    assert point.name == "argus"
    assert point.x == Interval(
        mean=pytest.approx(9), low=pytest.approx(9 - 2.4841, abs=1e-3),
        high=pytest.approx(9 + 2.4841, abs=1e-3), count=3,
    )  # fmt: skip


def test_shares_of_violations_are_left_out_where_too_few_requests_came():
    found = comparison("argus")
    quiet = replace(series(), load=np.full(40, 12.0), violations=np.full(40, 6.0))  # two a bucket
    quiet.load[7] = quiet.violations[7] = 60.0
    runs = tuple(replace(r, series=quiet) for r in found.runs)
    violations = comparison_board(replace(found, runs=runs), "").panels[2].lines[0].y
    assert np.flatnonzero(np.isfinite(violations)).tolist() == [7]
    assert violations[7] == 100


# Colours

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_SEES = {  # Machado, Oliveira and Fernandes 2009, severity 1
    "all": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
}  # fmt: skip


def lab(colour, sees):
    """As CIELAB, seen by such an eye."""
    part = rgb(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    x, y, z = _TO_XYZ @ np.clip(sees @ linear, 0, 1) / (0.9505, 1.0, 1.089)
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eye", _SEES)
def test_colours_of_policies_are_told_apart_by_any_eye(eye):
    seen = {name: lab(colour, _SEES[eye]) for name, colour in palette.POLICIES.items()}
    apart = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a in seen for b in seen if a < b}
    pair = min(apart, key=apart.get)
    assert apart[pair] > 15, (pair, apart[pair])


def test_every_policy_has_a_colour_of_its_own_that_depends_on_nothing_else():
    assert palette.POLICIES.keys() >= POLICIES.keys()
    assert len(set(palette.POLICIES.values())) == len(palette.POLICIES)
    among = ["argus", "argus-unpriced", "paper", "argus-flat"]
    colours = [palette.policy_colour(name, among) for name in among]
    assert len(set(colours)) == 4
    assert colours[0] == palette.policy_colour("argus", ["argus"])


def test_variants_grow_lighter_down_the_ladder():
    colours = palette.variant_colours(["a", "b", "c", "d", "e", "f", IDLE])
    lightness = [lab(colour, _SEES["all"])[0] for colour in list(colours.values())[:-1]]
    assert lightness == sorted(lightness)
    assert list(palette.variant_colours(["a"])) == ["a"]
