import json
from pathlib import Path

import pytest
import yaml

import argus_cli
from argus_cli.document import load_document, with_profile
from argus_core.errors import InvalidRequest
from argus_core.spec import parse_cluster
from profile_support import document as document_of_profile

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


def named(tmp_path, *, path="small.json", **spec):
    """What `argus up` makes of a document that names a profile beside it."""
    (tmp_path / "small.json").write_text(json.dumps(document_of_profile()))
    plain = yaml.safe_load((ROOT / "tests/corpus/valid/shortest.yaml").read_text())
    variants = [{"name": name, "model": "m", "family": "shapes"} for name in ("big", "small")]
    size = {"width": 48, "height": 48}
    named = {"variants": variants, "defaultSize": size, "profile": {"path": path}}
    plain["spec"] |= {**named, **spec}
    text = yaml.safe_dump(plain)
    return with_profile(text, parse_cluster(plain), tmp_path)


def test_a_profile_beside_the_document_gives_a_ladder_that_was_left_out(tmp_path):
    text, cluster = named(tmp_path, ladder=[])
    assert [(level.name, level.seconds) for level in cluster.spec.ladder] == [
        ("dear", {"cpu": 0.1}),
        ("cheap", {"cpu": 0.1}),
    ]
    assert parse_cluster(yaml.safe_load(text)).spec.ladder == cluster.spec.ladder


def test_a_profile_of_other_levels_is_refused_by_its_field_and_file(tmp_path):
    other = [
        {"name": name, "variant": name, "steps": 9, "quality": 1.0, "seconds": {"cpu": 1.0}}
        for name in ("big", "small")
    ]
    with pytest.raises(InvalidRequest, match=r"spec\.profile\.path.*small\.json.*only dear"):
        named(tmp_path, ladder=other)
    with pytest.raises(InvalidRequest, match=r"spec\.profile\.path.*none\.json"):
        named(tmp_path, path="none.json", ladder=other)
