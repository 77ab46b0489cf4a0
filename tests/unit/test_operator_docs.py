"""docs/operator.md names the metrics, labels and objects that there are."""

import re
from pathlib import Path

from argus_operator import names
from argus_operator.metrics import Metrics
from argus_operator.objects import build
from argus_operator.settings import Settings
from operator_support import OWNER, cluster_of

PAGE = (Path(__file__).parents[2] / "docs" / "operator.md").read_text()


def test_every_metric_is_named_and_no_other():
    there = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in Metrics().registry.collect()
        if family.name.startswith("argus_operator_")
    }
    assert set(re.findall(r"`(argus_operator_\w+)`", PAGE)) == there


def test_labels_and_annotations_are_those_of_the_code():
    told = set(re.findall(r"`?(argus\.dev/[a-z-]+)", PAGE))
    assert told == {
        *(names.VARIANT, names.HOLDS, names.LOADOUT, names.PINNED, names.PAUSED),
        *(names.APPLIED, names.TRIED),
    }


def test_every_kind_of_object_is_named():
    made = build(cluster_of(observability={"podMonitor": True}), Settings(), OWNER)
    assert {thing["kind"] for thing in made} <= set(re.findall(r"[A-Z]\w+", PAGE))
