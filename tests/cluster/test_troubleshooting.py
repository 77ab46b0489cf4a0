"""docs/troubleshooting.md has a line for every reason that there is, and for no other."""

import re

import pytest
import yaml

from cluster.kubernetes import ROOT

conditions = pytest.importorskip("argus_operator.conditions")
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
CRD = ROOT / "manifests" / "crds" / "argusclusters.argus.dev.yaml"


def test_every_reason_has_its_line_under_its_condition():
    sections = dict(re.findall(r"^## (\w+)$\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    told = {name: re.findall(r"^\| `(\w+)`", text, re.MULTILINE) for name, text in sections.items()}
    known = [[str(reason) for reason in reasons] for reasons in conditions.REASONS]
    assert list(told.values()) == known
    assert list(told) == [str(condition) for condition in conditions.ConditionType]


def test_the_custom_resource_knows_the_same_reasons():
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    enum = status["conditions"]["items"]["properties"]["reason"]["enum"]
    assert set(enum) == {str(reason) for reasons in conditions.REASONS for reason in reasons}
