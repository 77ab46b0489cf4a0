"""What holds for all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

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
