"""The ArgusCluster document: what is refused, and that the error names the field."""

import copy

import pytest

from argus_core.errors import InvalidRequest
from argus_core.spec import parse_cluster, parse_stored

GOOD = {
    "apiVersion": "argus.dev/v1alpha1",
    "kind": "ArgusCluster",
    "metadata": {"name": "demo"},
    "spec": {
        "pools": [{"name": "cpu", "workers": 2}],
        "variants": [{"name": "tiny", "model": "builtin:shapes-tiny", "family": "shapes"}],
        "ladder": [
            {"name": "quick", "variant": "tiny", "steps": 4, "quality": 0.6, "seconds": {"cpu": 1}}
        ],
    },
}


def changed(path, value):
    document = copy.deepcopy(GOOD)
    at = document
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


def test_smallest_document_is_read_with_defaults():
    spec = parse_cluster(GOOD).spec
    assert spec.slo.deadline_seconds == 30.0
    assert spec.router.max_attempts == 3
    assert spec.router.faults.max_ejected_share == 0.5
    assert (spec.tenants, spec.tenant_defaults.weight) == ((), 1.0)
    assert spec.variant("tiny").family == "shapes"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("kind",), "Other", "kind"),
        (("metadata", "name"), "Not A Name", "metadata.name"),
        (("spec", "pools"), [], "spec.pools"),
        (("spec", "pools", 0, "workers"), 0, "spec.pools[0].workers"),
        (("spec", "pools", 0, "worker"), 1, "spec.pools[0].worker"),
        (("spec", "ladder", 0, "steps"), 0, "spec.ladder[0].steps"),
        (("spec", "ladder", 0, "skippedSteps"), 4, "spec.ladder[0]"),
        (("spec", "ladder", 0, "quality"), 1.5, "spec.ladder[0].quality"),
        (("spec", "ladder", 0, "seconds"), {"cpu": 0}, "spec.ladder[0].seconds.cpu"),
        (("spec", "ladder", 0, "seconds"), {"h100": 1}, "spec"),
        (("spec", "ladder", 0, "variant"), "other", "spec"),
        (("spec", "router"), {"maxQueued": 0}, "spec.router.maxQueued"),
        (("spec", "router"), {"maxQueuedBytes": 0}, "spec.router.maxQueuedBytes"),
        (("spec", "router"), {"faults": {"hangFactor": 0.5}}, "spec.router.faults.hangFactor"),
        (("spec", "tenants"), [{"name": "a", "weight": 0}], "spec.tenants[0].weight"),
        (("spec", "tenants"), [{"name": "A b"}], "spec.tenants[0].name"),
        (("spec", "tenants"), [{"name": "a"}, {"name": "a"}], "spec"),
        (("spec", "tenantDefaults"), {"maxQueued": 0}, "spec.tenantDefaults.maxQueued"),
        (("spec", "slo"), {"target": 1}, "spec.slo.target"),
        (("spec", "variants", 0, "model"), None, "spec.variants[0].model"),
    ],
)
def test_wrong_document_names_the_field(path, value, field):
    with pytest.raises(InvalidRequest) as caught:
        parse_cluster(changed(path, value))
    assert caught.value.violations[0].field == field


def test_twins_are_refused():
    document = copy.deepcopy(GOOD)
    document["spec"]["pools"] *= 2
    with pytest.raises(InvalidRequest, match="unique"):
        parse_cluster(document)


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_document_of_the_wrong_kind_is_refused(document):
    with pytest.raises(InvalidRequest):
        parse_cluster(document)


def test_what_a_newer_resource_has_is_passed_over_and_told():
    document = changed(("spec", "slo"), {"target": 0.9, "patience": 3})
    document["spec"]["pools"][0]["colour"] = "red"
    with pytest.raises(InvalidRequest):
        parse_cluster(document)
    cluster, unknown = parse_stored(document)
    assert cluster == parse_cluster(changed(("spec", "slo"), {"target": 0.9}))
    assert unknown == ["spec.slo.patience", "spec.pools[0].colour"]
    assert document["spec"]["pools"][0]["colour"] == "red"


def test_what_is_wrong_is_refused_beside_what_is_unknown():
    with pytest.raises(InvalidRequest, match=r"spec\.slo\.target"):
        parse_stored(changed(("spec", "slo"), {"target": 2, "patience": 3}))
