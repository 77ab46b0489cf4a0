"""The custom resource and the Python model say the same of every field."""

import json
from pathlib import Path

import pytest
import yaml
from pydantic.json_schema import GenerateJsonSchema

from argus_core.spec import ClusterSpec
from argus_operator.conditions import REASONS, ConditionType

CRD = yaml.safe_load(
    (Path(__file__).parents[2] / "manifests/crds/argusclusters.argus.dev.yaml").read_text()
)
(VERSION,) = CRD["spec"]["versions"]
ROOT = VERSION["schema"]["openAPIV3Schema"]
SPEC, STATUS = ROOT["properties"]["spec"], ROOT["properties"]["status"]
MODEL = ClusterSpec.model_json_schema(by_alias=True, schema_generator=GenerateJsonSchema)
BESIDE = {"workers"}
"""Fields of the resource that the model takes in before it looks."""


def resolved(schema):
    """A node of pydantic's schema, without references and without null."""
    if "$ref" in schema:
        schema = {**MODEL["$defs"][schema["$ref"].rpartition("/")[2]], **schema}
    for either in schema.get("anyOf", ()):
        if either.get("type") != "null":
            return resolved({**either, "default": schema.get("default")})
    if "const" in schema:
        return {**schema, "enum": [schema["const"]]}
    return schema


def pairs(crd, model, path="spec"):
    """Every field of both, side by side."""
    model = resolved(model)
    yield path, crd, model
    if "items" in crd:
        yield from pairs(crd["items"], model["items"], f"{path}[]")
    for name, field in crd.get("properties", {}).items():
        if name in BESIDE and path == "spec":
            continue
        assert name in model.get("properties", {}), f"{path}.{name}: the model has no such field"
        yield from pairs(field, model["properties"][name], f"{path}.{name}")


PAIRS = list(pairs(SPEC, MODEL))


def nodes(schema, path):
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


@pytest.mark.parametrize(("path", "crd", "model"), PAIRS, ids=[p[0] for p in PAIRS])
def test_fields_and_bounds_are_those_of_the_model(path, crd, model):
    assert set(model.get("properties", {})) <= set(crd.get("properties", {})), path
    low = crd.get("minimum")
    if crd.get("type") in ("number", "integer"):
        exclusive = crd.get("exclusiveMinimum", False)
        assert model.get("exclusiveMinimum" if exclusive else "minimum") == low
        exclusive = crd.get("exclusiveMaximum", False)
        assert model.get("exclusiveMaximum" if exclusive else "maximum") == crd.get("maximum")
    for bound in ("minItems", "maxItems", "enum"):
        assert model.get(bound) == crd.get(bound), bound
    for bound in ("minLength", "pattern", "maxLength"):
        if bound in model:
            assert crd.get(bound) == model[bound], bound


@pytest.mark.parametrize(("path", "crd", "model"), PAIRS, ids=[p[0] for p in PAIRS])
def test_defaults_are_those_of_the_model(path, crd, model):
    standing = model.get("default")
    if crd["type"] == "object" and "default" in crd:
        assert standing is not None or path.endswith(("metadata", "podTemplate"))
    elif crd["type"] != "object":
        assert crd.get("default") == standing


def test_required_fields_are_those_of_the_model():
    for path, crd, model in PAIRS:
        required = set(model.get("required", ())) - (
            {"workers"} if path == "spec.pools[]" else set()
        )
        if crd.get("type") == "object":
            assert set(crd.get("required", ())) == required, path


def test_every_field_is_described():
    bare = [path for path, node in nodes(ROOT, "") if "description" not in node]
    leaves = [p for p in bare if not p.endswith("[]") and p != ".metadata"]
    assert leaves == []
    assert [path for path, node in nodes(ROOT, "") if None in node.values()] == []


def test_reasons_and_types_of_conditions_are_those_that_the_operator_writes():
    condition = STATUS["properties"]["conditions"]["items"]["properties"]
    assert condition["type"]["enum"] == [kind.value for kind in ConditionType]
    told = dict.fromkeys(reason.value for reasons in REASONS for reason in reasons)
    assert condition["reason"]["enum"] == list(told)


def test_lists_say_how_they_merge():
    lists = [(path, node) for path, node in nodes(ROOT, "") if node.get("type") == "array"]
    assert lists
    assert [path for path, node in lists if "x-kubernetes-list-type" not in node] == []


def test_status_and_scale_are_subresources():
    assert json.dumps(VERSION["subresources"]["status"]) == "{}"
    assert VERSION["subresources"]["scale"]["specReplicasPath"] == ".spec.workers"
