"""How dashboards are drawn from their JSON: what Prometheus is asked, and what becomes of it."""

import json

import numpy as np
import pytest
from PIL import Image

from argus_dashboards import parts
from argus_dashboards.boards import BOARDS
from argus_dashboards.draw import text
from support.boards import Series, Shown, asked, filled
from support.panels import draw
from support.units import unit

SHOWN = Shown(since=1000.0, until=1100.5, interval=2.0)


class Scripted:
    """A Prometheus that has the same to say to whatever it is asked; `quiet` says nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.asked: list[tuple[str, float]] = []
        self._quiet = quiet

    async def query(self, expression, at):
        self.asked.append((expression, at))
        return [] if self._quiet else [({"cluster": "studio"}, 0.5)]

    async def ranged(self, expression, since, until, step):
        self.asked.append((expression, step))
        times = np.arange(since, until, step)[[0, 1, 2, 5]]
        metric = {"cluster": "studio", "outcome": "ok", "phase": "ready"}
        values = [[at, "NaN" if at == times[1] else "3"] for at in times]
        return [] if self._quiet else [{"metric": metric, "values": values}]

    async def exemplars(self, expression, since, until):
        return []


def read(board):
    return json.loads(text(board))


def test_variables_are_set_as_grafana_sets_them():
    assert SHOWN.step(24) == 2.0, "no finer than scrapes"
    assert Shown(since=0, until=86_400, interval=2.0).step(12) == 120.0, "and a value a pixel"
    assert filled("rate(x[$__rate_interval])", SHOWN, 2.0) == "rate(x[8000ms])"
    assert filled("rate(x[$__rate_interval])", SHOWN, 60.0) == "rate(x[62000ms])"
    assert filled("x[$__range] offset $__interval", SHOWN, 5.0) == "x[100500ms] offset 5000ms"
    assert filled('x{cluster=~"$cluster"}', SHOWN, 2.0) == 'x{cluster=~".*"}'


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
async def test_every_query_of_a_dashboard_is_asked_whole(board):
    prometheus = Scripted()
    page = await asked(read(board), prometheus, SHOWN)
    panels = [a for a in page.answers if a.panel["type"] != "row"]
    assert len(prometheus.asked) == board.plans + sum(len(a.panel["targets"]) for a in panels)
    assert not [expr for expr, _ in prometheus.asked if "$" in expr]
    assert not page.empty
    assert bool(page.marks) == board.plans


async def test_who_says_nothing_has_a_gap_and_what_need_say_nothing_is_not_missed():
    page = await asked(read(parts.WORKER), Scripted(), SHOWN)
    series: Series = page.answers[1].series[0]
    assert np.isfinite(series.values[:7]).tolist() == [True, False, True, False, False, True, False]
    assert page.answers[1].series[0].times[-1] <= SHOWN.until
    silent = await asked(read(parts.WORKER), Scripted(quiet=True), SHOWN)
    assert "Phases" in silent.empty
    assert "Latents" not in silent.empty


@pytest.mark.parametrize("quiet", [False, True], ids=["something", "nothing"])
async def test_a_picture_is_as_large_as_its_grid(quiet, tmp_path):
    board = read(parts.OPERATOR)
    draw(await asked(board, Scripted(quiet=quiet), SHOWN), tmp_path / "operator.png")
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"])
    with Image.open(tmp_path / "operator.png") as drawn:
        assert drawn.size == (1600, 74 + 38 * bottom + 8)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("short", 12_345, "12.3 K"),
        ("none", 0.0123, "0.0123"),
        ("percentunit", 0.856, "85.6%"),
        ("s", 0.0000125, "12.5 µs"),
        ("s", 0.25, "250 ms"),
        ("s", 90, "1.5 mins"),
        ("s", 0, "0 s"),
        ("bytes", 3 * 2**30, "3 GiB"),
        ("reqps", 2.5, "2.5 req/s"),
        ("cps", float("nan"), "- c/s"),
    ],
)
def test_numbers_are_written_by_their_unit(name, value, said):
    assert unit(name)(value) == said
