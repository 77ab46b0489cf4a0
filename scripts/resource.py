"""Writes docs/resource.md from the custom resource's definition; `--check` only compares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
CRD = ROOT / "manifests" / "crds" / "argusclusters.argus.dev.yaml"
PAGE = ROOT / "docs" / "resource.md"
SHORTEST = ROOT / "tests" / "corpus" / "valid" / "shortest.yaml"

Schema = dict[str, Any]

_HEAD = """\
<!-- Written from manifests/crds by scripts/resource.py; never edited. -->
# The ArgusCluster, field by field

One document describes a cluster: the GPUs it may use (`pools`), the models they may hold
(`variants`), the ways of drawing with them (`ladder`), and what is promised (`slo`). All else has a
default. The shortest document that is of use:

```yaml
{shortest}```

Kubernetes and `argus up` read the same document (`argus.dev/v1alpha1`). On one machine files take
the place of Secrets, and what concerns only Kubernetes is passed over and named: pod templates,
resource names, replicas, volumes, observability. `kubectl explain argus.spec` tells what this page
tells, and `argus ladder check -f FILE` whether the models can draw what the ladder asks for.

A wrong or unknown field is refused by its name. Besides what the tables say:

{rules}
"""


def main() -> int:
    """Write, or compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    check = parser.parse_args().check
    text = page()
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    if check:
        print("stale: docs/resource.md; run scripts/resource.py")
        return 1
    PAGE.write_text(text)
    return 0


def page() -> str:
    """The page, as it shall be."""
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    root = version["schema"]["openAPIV3Schema"]
    rules = "\n".join(f"- {rule}" for rule in _rules(root))
    head = _HEAD.format(shortest=SHORTEST.read_text(), rules=rules)
    told = dict[str, str]()
    parts = [*_sections("spec", root["properties"]["spec"], told)]
    parts += _sections("status", root["properties"]["status"], told)
    return head + "".join(parts)


def _rules(schema: Schema) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for field in schema.get("properties", {}).values():
        yield from _rules(field)
    if "items" in schema:
        yield from _rules(schema["items"])


def _sections(path: str, schema: Schema, told: dict[str, str]) -> Iterator[str]:
    """A section for each object, those within it after it; one like another points there.

    `told` has the paths of those that were written, by all they say.
    """
    says = json.dumps(schema, sort_keys=True)
    if (same := told.setdefault(says, path)) != path:
        anchor = "".join(c for c in same.lower() if c.isalnum() or c in "- ")
        yield f"\n## {path}\n\n{schema['description']} Its fields: [{same}](#{anchor}).\n"
        return
    rows = [_row(name, field, schema) for name, field in schema["properties"].items()]
    table = "| field | type | default | |\n|---|---|---|---|\n" + "\n".join(rows)
    yield f"\n## {path}\n\n{schema['description']}\n\n{table}\n"
    for name, field in schema["properties"].items():
        inner, mark = (field["items"], "[]") if "items" in field else (field, "")
        if inner.get("properties"):
            yield from _sections(f"{path}.{name}{mark}", inner, told)


def _row(name: str, field: Schema, parent: Schema) -> str:
    default = "**required**" if name in parent.get("required", ()) else _default(field)
    text = _cell(field.get("description", ""))
    return f"| `{name}` | {_cell(_type(field))} | {default} | {text} |"


def _default(field: Schema) -> str:
    if field.get("default") in (None, {}, []):
        return ""
    return f"`{json.dumps(field['default']).strip(chr(34))}`"


def _type(field: Schema) -> str:
    if "enum" in field and len(field["enum"]) <= 5:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_plural(field['items'])}"
    if "additionalProperties" in field:
        return f"map to {field['additionalProperties']['type']}"
    return str(field["type"]) + _bounds(field)


def _plural(items: Schema) -> str:
    return "objects" if items["type"] == "object" else f"{items['type']}s"


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        above = "above " if field.get("exclusiveMinimum") else ""
        below = "below " if field.get("exclusiveMaximum") else ""
        return f", {above}{low} to {below}{high}"
    if low is not None:
        return f", {'above' if field.get('exclusiveMinimum') else 'from'} {low}"
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
