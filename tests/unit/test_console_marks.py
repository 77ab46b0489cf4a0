"""Marks of plans below the console's chart, by the page's own code."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "services/argus_console/page"


def bunched(*places):
    """Where marks stand and what they say, of plans 101, 102, ... at these pixels."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run the page's code with")
    plans = [{"id": 101 + i, "x": x} for i, x in enumerate(places)]
    code = (
        f"import {{ bunched }} from {json.dumps((PAGE / 'marks.mjs').as_uri())};"
        f"console.log(JSON.stringify(bunched({json.dumps(plans)})));"
    )
    command = [node, "--input-type=module", "--eval", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [(mark["x"], mark["label"]) for mark in json.loads(done.stdout)]


def test_plans_far_apart_have_a_mark_each():
    assert bunched(0, 100, 200) == [(0, "101"), (100, "102"), (200, "103")]


def test_marks_that_would_cover_each_other_are_one():
    assert bunched(10, 20, 200) == [(15, "101\u2013102"), (200, "103")]


def test_a_wider_mark_takes_in_whom_it_then_would_cover():
    assert bunched(110, 150, 160) == [(135, "101\u2013103")]
    assert bunched() == []
