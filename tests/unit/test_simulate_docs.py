"""Every example of docs/simulate.md is run as it stands, from what looks like a checkout's root."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from argus_cli.commands.simulate import FILES
from argus_cli.simulate.flags import Trace
from argus_core.policies.registry import POLICIES
from argus_core.simulator.arrivals import LOOKALIKES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulate.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(tmp_path):
    """A folder with all that the root has, into which an example may write."""
    for entry in ROOT.iterdir():
        if entry.name not in {"out", ".git"}:
            (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


def run(block, folder):
    commands = re.findall(r"^\$ (.+)$", block, re.MULTILINE)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "COLUMNS": "200"}
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0][2:42])
def test_an_example_runs_and_writes_what_it_says(checkout, block):
    run(block, checkout)
    for folder in re.findall(r"--out (\S+)", block):
        assert len(list((checkout / folder).iterdir())) == 3


def test_the_answer_of_the_first_example_is_what_is_printed(checkout):
    (told,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    printed = run(BLOCKS[0], checkout).splitlines()
    numbers = re.compile(r"\d+(?:\.\d+)?")
    for line in told.splitlines():
        alike = [p for p in printed if numbers.sub("#", p) == numbers.sub("#", line)]
        found, said = ([float(n) for n in numbers.findall(text)] for text in (*alike, line))
        assert found == pytest.approx(said, abs=0.02)


def test_there_are_examples_of_all_three_commands():
    assert {word for block in BLOCKS for word in re.findall(r"argus (\w+)", block)} == {
        "plan", "simulate", "compare",
    }  # fmt: skip


def test_the_page_and_the_help_name_every_policy_and_every_look_alike():
    assert all(f"`{name}`" in PAGE for name in (*POLICIES, *LOOKALIKES))
    (option,) = Trace.__metadata__
    assert all(name in option.help for name in LOOKALIKES)


def test_files_that_the_page_names_are_those_that_are_written():
    assert all(f"`out/bursty/{name}`" in PAGE for name in FILES)
