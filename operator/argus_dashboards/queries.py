"""Queries that boards have in common.

`of` are the labels of a cluster's own series; processes that serve all clusters have none: empty.
"""

from __future__ import annotations

_WINDOW = "$__rate_interval"
CLUSTERS = "$where"


def rate(counter: str, by: str, only: str = "", of: str = CLUSTERS) -> str:
    """A counter's events a second, by labels; `only` are further matchers."""
    return f"sum by ({by}) (rate({counter}{_matchers(of, only)}[{_WINDOW}]))"


def share(counter: str, by: str) -> str:
    """Of a counter's events, each label's share of all; nothing where nothing happened."""
    every = f"sum(rate({counter}{_matchers(CLUSTERS)}[{_WINDOW}]))"
    return f"{rate(counter, by)} / on () group_left () ({every} > 0)"


def quantile(histogram: str, rank: float, by: str = "", of: str = CLUSTERS) -> str:
    """A histogram's quantile, by labels."""
    buckets = rate(f"{histogram}_bucket", f"le, {by}" if by else "le", of=of)
    return f"histogram_quantile({rank:g}, {buckets})"


def mean(histogram: str, by: str) -> str:
    """A histogram's mean, by labels; nothing where nothing was observed."""
    total, count = (rate(f"{histogram}_{part}", by) for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def total(gauge: str, by: str) -> str:
    """A gauge's sum, by labels."""
    return f"sum by ({by}) ({gauge}{_matchers(CLUSTERS)})"


def most(gauge: str, by: str) -> str:
    """A gauge's greatest value, by labels: for what all routers say alike."""
    return f"max by ({by}) ({gauge}{_matchers(CLUSTERS)})"


def _matchers(of: str, only: str = "") -> str:
    told = ", ".join(filter(None, (of, only)))
    return f"{{{told}}}" if told else ""
