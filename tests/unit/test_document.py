from pathlib import Path

import pytest
import yaml

import argus_cli
from argus_cli.document import load_document
from argus_core.errors import InvalidRequest

ROOT = Path(__file__).parents[2]


def test_studio_of_the_package_is_the_sample():
    packaged = Path(argus_cli.__file__).parent / "studio.yaml"
    assert packaged.read_text() == (ROOT / "manifests/samples/studio.yaml").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "manifests/samples").glob("*.yaml")), ids=str)
def test_every_sample_is_a_valid_document(path):
    load_document(path)


def test_studio_is_the_small_family_on_two_workers():
    text, cluster = load_document(None)
    assert yaml.safe_load(text)["metadata"]["name"] == cluster.metadata.name == "studio"
    spec = cluster.spec
    assert [(pool.name, pool.workers) for pool in spec.pools] == [("cpu", 2)]
    assert {variant.model for variant in spec.variants} == {
        "builtin:shapes-large", "builtin:shapes-small", "builtin:shapes-tiny",
    }  # fmt: skip
    qualities = [level.quality for level in spec.ladder]
    seconds = [level.seconds["cpu"] for level in spec.ladder]
    assert qualities == sorted(qualities, reverse=True)
    assert seconds == sorted(seconds, reverse=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [1", "line 1"),
        (b"\xff\xfe\xfa", "UTF-8"),
        (b"", "document"),
        (b"spec: {}", "apiVersion"),
    ],
)
def test_what_is_wrong_with_a_document_is_named(tmp_path, content, words):
    path = tmp_path / "cluster.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=words):
        load_document(path)


def test_missing_document_is_named(tmp_path):
    with pytest.raises(InvalidRequest, match="nowhere.yaml: No such file"):
        load_document(tmp_path / "nowhere.yaml")
