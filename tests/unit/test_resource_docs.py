"""docs/resource.md is what the custom resource's definition says."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_page_is_current():
    command = [sys.executable, "scripts/resource.py", "--check"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_page_has_every_field():
    page = (ROOT / "docs" / "resource.md").read_text()
    crd = yaml.safe_load((ROOT / "manifests/crds/argusclusters.argus.dev.yaml").read_text())
    (version,) = crd["spec"]["versions"]

    def names(schema):
        for name, field in schema.get("properties", {}).items():
            yield name
            yield from names(field)
            yield from names(field.get("items", {}))

    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert [name for name in names(spec) if f"| `{name}` |" not in page] == []
