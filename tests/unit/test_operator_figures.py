"""Which figures the levels of a cluster have, whatever becomes of its profile."""

import copy
import json

import pytest
import yaml

from argus_core.spec import is_automatic, parse_cluster
from argus_operator.figures import Figures
from profile_support import device, document

LEVEL = {"steps": 8, "guidanceScale": 2.0, "quality": 0.9, "seconds": {"cpu": 9}}
LADDER = [
    {"name": "dear", "variant": "big", **LEVEL},
    {"name": "cheap", "variant": "small", **LEVEL, "steps": 4, "quality": 0.8},
]
SOURCE = {"configMapName": "measured"}


class Gateway:
    """Has one ConfigMap, or none."""

    def __init__(self, **data):
        self.version = 0
        self.put(**data)

    def put(self, **data):
        self.version += 1
        meta = {"uid": "u", "resourceVersion": str(self.version)}
        self.found = {"metadata": meta, "data": data} if data else None

    async def find(self, kind, namespace, name):
        assert (kind.name, namespace, name) == ("ConfigMap", "here", "measured")
        return copy.deepcopy(self.found)


def cluster(**spec):
    return {
        "apiVersion": "argus.dev/v1alpha1",
        "kind": "ArgusCluster",
        "metadata": {"name": "demo", "namespace": "here"},
        "spec": {
            "pools": [{"name": "p", "workers": 2}],
            "defaultSize": {"width": 48, "height": 48},
            "variants": [
                {"name": name, "model": "m", "family": "shapes"} for name in ("big", "small")
            ],
            "ladder": LADDER,
            "profile": SOURCE,
            **spec,
        },
    }


def profile(**changes):
    return {"profile.json": json.dumps(document(**changes))}


async def told(figures, said):
    found, condition = await figures.of(parse_cluster(said), automatic=is_automatic(said))
    return [(level.name, level.seconds["cpu"]) for level in found.spec.ladder], condition


def figures_of(gateway, before=None):
    text = yaml.safe_dump(before.model_dump(mode="json", by_alias=True)) if before else ""
    return Figures(gateway, "here", told={"data": {"cluster.yaml": text}} if before else None)


STATED = [("dear", 9.0), ("cheap", 9.0)]
MEASURED = [("dear", 0.1), ("cheap", 0.1)]


async def test_without_a_profile_figures_are_those_of_the_document():
    ladder, condition = await told(figures_of(Gateway()), cluster(profile=None))
    assert (ladder, condition.reason, condition.holds) == (STATED, "Stated", True)


async def test_a_ladder_that_is_left_out_is_guessed_until_there_is_a_profile():
    gateway = Gateway()
    _, condition = await told(figures_of(gateway), cluster(profile=None, ladder=[]))
    assert (condition.reason, condition.holds) == ("Guessed", None)
    gateway.put(**profile())
    ladder, condition = await told(figures_of(gateway), cluster(ladder=[]))
    assert (ladder, condition.reason) == (MEASURED, "ProfileApplied")


async def test_a_profile_is_heeded_and_another_one_when_it_is_there():
    gateway = Gateway(**profile())
    figures = figures_of(gateway)
    assert (await told(figures, cluster()))[0] == MEASURED
    gateway.put(**profile(devices={"cpu": device(seconds=0.3)}))
    ladder, condition = await told(figures, cluster())
    assert (ladder, condition.holds) == ([("dear", 0.3), ("cheap", 0.3)], True)


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        ({}, "ProfileMissing", "ConfigMap measured is missing"),
        ({"other": "x"}, "ProfileMissing", "has no entry profile.json"),
        ({"profile.json": "{"}, "ProfileRefused", "must be JSON"),
        ({"profile.json": "{}"}, "ProfileRefused", "ladder: is required"),
        (profile(devices={}), "ProfileRefused", "has no time on cpu at 48x48"),
    ],
)
async def test_a_bad_profile_changes_nothing(data, reason, says):
    gateway = Gateway(**profile())
    figures = figures_of(gateway)
    await told(figures, cluster())
    gateway.put(**data)
    ladder, condition = await told(figures, cluster())
    assert (ladder, condition.reason, condition.holds) == (MEASURED, reason, False)
    assert says in condition.message
    assert "keep the figures that they had" in condition.message
    # Nor does it for a process that knows only what services were told, or nobody anything.
    now, _ = await figures.of(parse_cluster(cluster()), automatic=False)
    assert (await told(figures_of(gateway, now), cluster()))[0] == MEASURED
    ladder, condition = await told(figures_of(gateway), cluster())
    assert (ladder, condition.reason) == (STATED, reason)
    assert "those that the document states" in condition.message


async def test_what_was_of_other_levels_or_devices_is_not_kept():
    gateway = Gateway(**profile())
    figures = figures_of(gateway)
    now, _ = await figures.of(parse_cluster(cluster()), automatic=False)
    gateway.put()
    other = cluster(ladder=[LADDER[0], {**LADDER[1], "steps": 6}])
    assert (await told(figures, other))[0] == STATED
    assert (await told(figures_of(gateway, now), other))[0] == STATED


async def test_a_ladder_of_the_profile_has_only_what_was_measured_for_these_variants():
    gateway = Gateway(**profile())
    ladder, _ = await told(figures_of(gateway), cluster(ladder=[]))
    assert [name for name, _ in ladder] == ["dear", "cheap"]
    stored = cluster(ladder=[], latentStore={"url": "directory:/l"})
    ladder, _ = await told(figures_of(gateway), stored)
    assert [name for name, _ in ladder] == ["dear", "begun", "cheap"]
    third = {"name": "third", "model": "m", "family": "shapes"}
    more = cluster(ladder=[])
    more["spec"]["variants"].append(third)
    _, condition = await told(figures_of(gateway), more)
    assert condition.reason == "ProfileRefused"
    assert "no level of third on cpu at 48x48" in condition.message
    less = cluster(ladder=[])
    del less["spec"]["variants"][1]
    ladder, _ = await told(figures_of(gateway), less)
    assert [name for name, _ in ladder] == ["dear"]


async def test_in_kubernetes_there_is_no_file():
    _, condition = await told(figures_of(Gateway()), cluster(profile={"path": "p.json"}))
    assert condition.reason == "ProfileMissing"
    assert "spec.profile.configMapName" in condition.message
