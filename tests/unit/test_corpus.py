"""One corpus of documents: here the Python model judges it, in tests/cluster the API server."""

import pytest

from argus_core.errors import InvalidRequest
from argus_core.spec import only_in_kubernetes, parse_cluster
from corpus_support import CORPUS, invalid, valid

VALID = valid()


@pytest.mark.parametrize("name", VALID)
def test_valid_documents_are_read(name):
    assert parse_cluster(VALID[name]).kind == "ArgusCluster"


@pytest.mark.parametrize("refused", invalid(), ids=lambda refused: refused.name)
def test_invalid_documents_are_refused_by_field_and_rule(refused):
    with pytest.raises(InvalidRequest) as caught:
        parse_cluster(refused.document)
    fields = {violation.field: violation.problem for violation in caught.value.violations}
    assert refused.model.field in fields
    assert refused.model.says in fields[refused.model.field]


def test_what_is_wrong_is_told_once_and_in_words():
    document = {
        **VALID["shortest"],
        "spec": {
            "pools": [{"name": "cpu", "worker": 2}],
            "variants": [{"name": "tiny", "model": "builtin:shapes-tiny", "famly": "shapes"}],
            "ladder": [{"name": "t", "variant": "tiny", "steps": 8, "quality": 1.5, "seconds": {}}],
            "planning": {"mode": "sometimes"},
            "zebra": 1,
        },
    }
    with pytest.raises(InvalidRequest) as caught:
        parse_cluster(document)
    assert [(v.field, v.problem) for v in caught.value.violations] == [
        ("spec.pools[0].workers", "is required"),
        ("spec.pools[0].worker", "there is no such field; did you mean workers?"),
        ("spec.variants[0].family", "is required"),
        ("spec.variants[0].famly", "there is no such field; did you mean family?"),
        ("spec.ladder[0].quality", "must be less than or equal to 1, not 1.5"),
        ("spec.ladder[0].seconds", "must have at least 1 item"),
        ("spec.planning.mode", "must be 'automatic', 'advisory' or 'off', not 'sometimes'"),
        ("spec.zebra", "there is no such field"),
    ]
    with pytest.raises(InvalidRequest, match="document: must be a mapping with apiVersion"):
        parse_cluster(None)


def test_the_shortest_document_has_less_than_15_lines():
    assert len((CORPUS / "valid" / "shortest.yaml").read_text().splitlines()) < 15


def test_what_is_read_can_be_written_and_read_again():
    for document in VALID.values():
        cluster = parse_cluster(document)
        plain = cluster.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert parse_cluster(plain) == cluster


def test_what_only_kubernetes_heeds_is_named():
    assert only_in_kubernetes(parse_cluster(VALID["shortest"]).spec) == []
    assert only_in_kubernetes(parse_cluster(VALID["everything-else"]).spec) == [
        "router.podTemplate",
        "router.replicas",
        "router.tls",
        "router.apiKeys",
        "predictor.replicas",
        "latentStore.claimName",
        "profile.configMapName",
        "modelVolume",
        "compileVolume",
        "internalTls",
        "observability",
    ]
