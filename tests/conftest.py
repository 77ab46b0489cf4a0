"""What holds for all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Times decide nothing here: the machine may be busy with other tests.
settings.register_profile("argus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("argus")

BRIEF = "ARGUS_BRIEF"
"""Environment variable: tests marked `long` are skipped, aloud."""


def pytest_collection_modifyitems(items):
    """Skip what is long where little time was asked for."""
    if os.environ.get(BRIEF):
        skip = pytest.mark.skip(reason=f"it takes a minute or two; without {BRIEF} it runs")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)
