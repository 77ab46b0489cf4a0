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
        "observability",
    ]
