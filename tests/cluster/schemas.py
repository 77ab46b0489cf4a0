"""JSON schemas of Kubernetes' kinds for kubeconform, made of what an API server publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_schemas(openapi: dict[str, Any], folder: Path) -> None:
    """One file a kind, named as kubeconform's `{{.ResourceKind}}{{.KindSuffix}}`.

    Args:
        openapi: what `/openapi/v2` answers.
        folder: where they go.
    """
    definitions = {name: _closed(node) for name, node in openapi["definitions"].items()}
    (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, node in definitions.items():
        for of in node.get("x-kubernetes-group-version-kind", []):
            group = of["group"].split(".")[0]
            kind = "-".join(filter(None, (of["kind"].lower(), group, of["version"])))
            reference = {"$ref": f"definitions.json#/definitions/{name}"}
            (folder / f"{kind}.json").write_text(json.dumps(reference))


def _closed(node: dict[str, Any]) -> dict[str, Any]:
    """Unknown fields are refused; quantities and ports may be numbers."""
    if node.get("format") == "int-or-string" or "Quantity" in node.get("description", "")[:20]:
        return {"type": ["string", "number"]}
    return {**node, "additionalProperties": False} if "properties" in node else node
