"""What Prometheus shall scrape of a local cluster, as a file that its `file_sd_configs` follow.

Every target carries the labels that rules and dashboards know a cluster by: `namespace`, which is
`local` here, and `cluster`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

NAMESPACE = "local"


def write(path: Path, cluster: str, where: Mapping[str, str]) -> None:
    """Replace the file; `where` is by process the host:port, or the URL, of its metrics."""
    groups = []
    for process, address in where.items():
        scheme, _, host = address.rpartition("://")
        labels = {"namespace": NAMESPACE, "cluster": cluster, "process": process}
        if scheme == "https":
            labels["__scheme__"] = scheme
        groups.append({"targets": [host], "labels": labels})
    part = path.with_suffix(".part")
    part.write_text(json.dumps(groups))
    part.replace(path)
