"""All rules, in groups, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from argus_alerts import burn, faults
from argus_alerts.rule import Alert, Pace, Record

_HEAD = "# Written by scripts/manifests.py from operator/argus_alerts; never edited.\n"


def groups(pace: Pace | None = None) -> list[dict[str, Any]]:
    """Every group; at a pace of its own for a test."""
    pace = pace or Pace()
    return [
        _group("argus-slo-records", burn.records(pace)),
        _group("argus-slo", burn.alerts()),
        _group("argus-workers", faults.workers(pace)),
        _group("argus-plans", faults.plans(pace)),
        _group("argus-quality", faults.quality(pace)),
        _group("argus-targets", faults.absent(pace)),
    ]


def names() -> list[str]:
    """Of the alerts, each once, in their order."""
    rules = [rule for group in groups() for rule in group["rules"]]
    return list(dict.fromkeys(rule["alert"] for rule in rules if "alert" in rule))


def text(pace: Pace | None = None) -> str:
    """A file of all rules."""
    return _HEAD + written(groups(pace))


def written(groups: list[dict[str, Any]]) -> str:
    """Groups, as a file of rules has them."""
    return yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=100)


def _group(name: str, rules: Iterable[Alert | Record]) -> dict[str, Any]:
    return {"name": name, "rules": [rule.rule() for rule in rules]}


class _Dumper(yaml.SafeDumper):
    """Writes what has lines line by line."""


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)
