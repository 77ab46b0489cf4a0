"""What holds for all tests."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from argus_cli import main

# Times decide nothing here: the machine may be busy with other tests.
settings.register_profile("argus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("argus")

BRIEF = "ARGUS_BRIEF"
"""Environment variable: tests marked `long` are skipped, aloud."""


ONE_AT_A_TIME = ("local", "cluster")
"""Folders whose tests each start a cluster of processes: beside one of another folder at most."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Skip what is long where little time was asked for; keep whole clusters from one another."""
    for item in items:
        folder = item.path.parent.name
        if folder in ONE_AT_A_TIME:
            item.add_marker(pytest.mark.xdist_group(folder))
    if os.environ.get(BRIEF):
        skip = pytest.mark.skip(reason=f"it takes a minute or two; without {BRIEF} it runs")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest.fixture
def argus(monkeypatch, capsys):
    """Runs the command line in this process: its status, output, and what it said in one line."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["argus", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, " ".join(said.err.split())

    return run
