"""The history of a cluster's plans, and what its ConfigMap says of it.

Every write goes to etcd, so there are few, whatever happens: one a minute at most, of at most
128 KiB. What the operator did not write before it ended, the routers still know.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from argus_control import archive
from argus_control.history import History
from argus_operator import names
from argus_operator.objects.history import KEY, PLANS

EVERY = 60.0
"""Seconds between two writes at least."""
MOST_BYTES = 128 * 1024


class Chronicle:
    """Takes up what a ConfigMap says, and tells what it shall say."""

    def __init__(self, cluster: str, config_maps: Iterable[dict[str, Any]]) -> None:
        """`config_maps` are the cluster's as they are found."""
        name = names.part(cluster, PLANS)
        found = [m["data"] for m in config_maps if m["metadata"]["name"] == name and "data" in m]
        self._text: str = found[0].get(KEY, "") if found else ""
        self.history = History(archive.unpack(self._text))
        self._written, self._at = self.history.settled, -inf

    def text(self, now: float) -> str:
        """What it shall say; `now` is in seconds on one clock that never goes back."""
        history = self.history
        if self._written != history.settled and now - self._at >= EVERY:
            self._written, self._at = history.settled, now
            self._text = archive.pack(history.records, most=MOST_BYTES)
        return self._text
