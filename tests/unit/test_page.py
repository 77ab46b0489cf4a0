"""Pages are parsed as a browser would: table, panels, and nothing that asks for a network."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from argus_cli.simulate import palette, told
from argus_cli.simulate.page import Sheet, page, write_page
from argus_cli.simulate.panels import comparison_board, run_board
from simulate_support import comparison, run


class Parsed(HTMLParser):
    """What stands in a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.scripts, self.said = [], [], [], []
        self.fetched = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in {"meta", "link", "img"}:
            self.open.append(tag)
        self.fetched += [v for k, v in attributes if k in {"src", "href"}]
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open:
            return
        if self.open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data
        elif self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open[-1] in {"h1", "p", "code", "title"}:
            self.said.append(data)

    @property
    def figure(self):
        """Traces and layout, as they are handed to plotly."""
        calls = [s for s in self.scripts if "Plotly.newPlot(" in s and len(s) < 500_000]
        _, _, after = calls[-1].partition("Plotly.newPlot(")
        decoder = json.JSONDecoder()
        found = []
        for _ in range(3):
            after = after.lstrip(" \n,")
            value, end = decoder.raw_decode(after)
            found.append(value)
            after = after[end:]
        _, traces, layout = found
        return traces, layout


@pytest.fixture(scope="module")
def compared():
    found = comparison(
        "argus", "paper", unable={"nirvana": "needs a start"}, bounds=(0.9, 0.9, 0.9)
    )
    board, sheet = comparison_board(found, "a load"), told.comparison_sheet(found)
    return Parsed(page(board, sheet, command="argus compare --out x"))


@pytest.fixture(scope="module")
def single():
    board, sheet = run_board(run(), "a load"), told.run_sheet(run())
    return Parsed(page(board, sheet, command="argus simulate --out x"))


def test_a_page_is_whole_and_asks_for_no_network(compared, single):
    for parsed in (compared, single):
        assert parsed.open == []
        assert parsed.fetched == []
        assert any(len(script) > 1_000_000 for script in parsed.scripts)


def test_a_page_says_what_it_is_about_and_how_to_get_it_again(compared, single):
    assert {"2 policies, 3 seeds", "a load", "argus compare --out x"} <= set(compared.said)
    assert {"argus, seed 0", "argus simulate --out x"} <= set(single.said)
    assert "Left out: nirvana (needs a start)." in compared.said


def test_the_table_of_a_comparison_has_a_row_a_policy_and_one_for_the_bound(compared):
    head, *rows = compared.rows
    assert head == ["policy", "in time/min", "violated %", "quality", "value", "less argus"]
    assert [row[0] for row in rows] == ["argus", "paper", "bound"]
    assert {len(row) for row in rows} == {len(head)}
    # Seeds differ by 0.01: 4.3027 x 0.01 / sqrt(3) is the interval; paired, they do not differ.
    assert rows[0][4:] == ["0.820 ±0.025", ""]
    assert rows[1][4:] == ["0.720 ±0.025", "-0.100 ±0.000"]
    assert rows[2][4] == "0.900 ±0.000"


def test_the_table_of_a_run_has_all_its_figures(single):
    cells = dict(single.rows)
    assert cells["figure"] == "argus"
    assert cells["violations"] == "10.00%"
    assert cells["latency p99"] == "1.90 s"
    assert cells["taken on a retry"] == "-"


def titles(layout):
    texts = [note["text"] for note in layout["annotations"]]
    return [re.match(r"<b>(.*?)</b>", text)[1] for text in texts]


def test_a_run_s_four_panels_are_there_with_their_lines(single):
    traces, layout = single.figure
    assert titles(layout) == ["Load", "Quality", "Violations", "GPUs"]
    by_axis = {}
    for trace in traces:
        by_axis.setdefault(trace["yaxis"], []).append(trace["name"])
    assert by_axis == {
        "y": ["arriving", "in time"],
        "y2": ["quality"],
        "y3": ["not in time"],
        "y4": ["large", "small", "loading or lost"],
    }
    assert {trace["stackgroup"] for trace in traces if trace["yaxis"] == "y4"} == {"GPUs"}
    assert all(len(trace["x"]) == len(trace["y"]) == 40 for trace in traces)
    assert None in next(t for t in traces if t["name"] == "quality")["y"]  # not a number


def test_panels_lie_under_each_other_and_their_times_move_together(single):
    _, layout = single.figure
    domains = [layout[f"yaxis{i}"]["domain"] for i in ("", "2", "3", "4")]
    for (low, _), (_, high) in pairwise(domains):
        assert low > high
    assert domains[-1][0] >= 0
    assert domains[0][1] == 1
    assert [layout[f"xaxis{i}"]["matches"] for i in "234"] == ["x"] * 3


def test_a_comparison_s_panels_have_a_line_or_a_point_a_policy_in_its_colour(compared):
    traces, layout = compared.figure
    assert titles(layout) == ["In time", "Quality", "Violations", "Quality against violations"]
    argus = [trace for trace in traces if trace["name"] == "argus"]
    assert [trace["yaxis"] for trace in argus] == ["y", "y2", "y3", "y4"]
    assert [trace["showlegend"] for trace in argus] == [True, False, False, False]
    assert {trace["line"]["color"] for trace in argus[:3]} == {palette.POLICIES["argus"]}
    assert argus[3]["mode"] == "markers"
    assert argus[3]["error_x"]["array"] == [pytest.approx(2.4841, abs=1e-3)]


def test_what_was_typed_cannot_become_part_of_the_page(tmp_path):
    evil = "<script>alert(1)</script>"
    board = run_board(run(), evil)
    sheet = Sheet(head=(evil, evil), rows=[(evil, evil)], notes=[evil])
    path = tmp_path / "run.html"
    write_page(board, sheet, path, command=evil)
    text = path.read_text("utf-8")
    assert evil not in text
    assert Parsed(text).rows == [[evil, evil], [evil, evil]]
