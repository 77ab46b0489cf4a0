"""Dashboards: complete, current, and made of queries that Prometheus takes."""

import json
import re
from pathlib import Path

import pytest
import yaml

from argus_dashboards import boards
from argus_dashboards.boards import BOARDS
from argus_dashboards.draw import PLANS, text, where
from dashboards_support import filled, panels, queries
from prometheus_support import promtool
from shown_support import metrics

ROOT = Path(__file__).parents[2]
UNITS = {"short", "none", "s", "bytes", "percentunit", "reqps", "cps"}
"""That Grafana knows, of those in use."""
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


@each_board
def test_no_panel_is_without_unit_and_description(board):
    for panel in panels(board):
        assert panel.title
        assert panel.description.endswith("."), panel.title
        assert panel.unit in UNITS, panel.title
        assert queries(panel), panel.title


@each_board
def test_grafana_is_given_what_the_board_says(board):
    made = json.loads(text(board))
    assert made["uid"] == f"argus-{board.name}"
    assert made["description"]
    drawn = [panel for panel in made["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in drawn] == [panel.title for panel in panels(board)]
    for panel in drawn:
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["expr"] for target in panel["targets"])
    numbers = [panel["id"] for panel in made["panels"]]
    assert len(set(numbers)) == len(numbers)
    names = [variable["name"] for variable in made["templating"]["list"]]
    assert names == ["datasource", "namespace", "cluster"]
    assert bool(made["annotations"].get("list")) == board.plans


@each_board
def test_panels_do_not_overlap(board):
    taken = set()
    for panel in json.loads(text(board))["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_changes_of_plans_are_marked_where_gpus_are_shown():
    marked = {board.name for board in BOARDS if board.plans}
    assert {"overview", "gpus", "quality", "router"} <= marked


@each_board
def test_a_legend_names_only_labels_that_its_query_keeps(board):
    for panel in panels(board):
        for query in queries(panel):
            named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
            kept = re.findall(r"by \(([^)]*)\)", query.expr)
            assert named <= {label.strip() for group in kept for label in group.split(",")}, query


def test_prometheus_takes_every_query(tmp_path):
    exprs = [query.expr for board in BOARDS for p in panels(board) for query in queries(p)]
    rules = [
        {"record": f"query_{n}", "expr": filled(where(expr))}
        for n, expr in enumerate([*exprs, PLANS])
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_every_metric_is_one_that_processes_expose():
    known = metrics()
    for board in BOARDS:
        for panel in panels(board):
            for query in queries(panel):
                named = set(re.findall(r"\bargus_[a-z_]+\b", query.expr))
                assert named
                assert named <= known, f"{board.name}, {panel.title}: {named - known}"


def test_what_is_installed_is_what_the_code_says():
    made = boards.files()
    for path, board in made.items():
        assert (ROOT / path).read_text() == board, f"{path} is stale; run scripts/manifests.py"
    for folder in {path.rpartition("/")[0] for path in made}:
        assert {f"{folder}/{file.name}" for file in (ROOT / folder).iterdir()} <= made.keys()


def test_the_page_names_every_board():
    page = (ROOT / "docs" / "dashboards.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)\.json` \| ([^|]+) \|", page, re.MULTILINE))
    assert rows == {board.name: board.title for board in BOARDS}
