"""How the names of metrics are found in rules and pages."""

from __future__ import annotations

import re

from argus_alerts import groups

METRIC = re.compile(r"\bargus_(?:router|predictor|worker|operator|control|slo|quality)_[a-z_]+")


def of_the_rules() -> set[str]:
    """Every metric that an expression reads."""
    rules = [rule for group in groups.groups() for rule in group["rules"]]
    return {name for rule in rules for name in METRIC.findall(rule["expr"])}
