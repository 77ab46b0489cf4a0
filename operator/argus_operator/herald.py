"""Events of a cluster: what happened, told once, and never in a flood."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from argus_core.errors import ArgusError
from argus_operator.gateway import Away, Gateway
from argus_operator.kinds import CLUSTER, EVENT
from argus_operator.names import FIELD_MANAGER
from argus_operator.times import spelled_now

log = logging.getLogger(__name__)

_MOST = 20
"""Events that may be told at once."""
_EVERY = 20.0
"""Seconds after which one more may be."""
_AGAIN = 600.0
"""Seconds before the same words are told again."""
_LONGEST = 1000
"""Characters of a message."""


class Allowance:
    """Which words may be told now; the rest is let drop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left, self._at = float(_MOST), clock()
        self._told: dict[tuple[str, str], float] = {}

    def grants(self, reason: str, message: str) -> bool:
        """Whether this may be told; it counts as told then."""
        now = self._clock()
        self._left = min(float(_MOST), self._left + (now - self._at) / _EVERY)
        self._at = now
        self._told = {words: at for words, at in self._told.items() if now - at < _AGAIN}
        if (reason, message) in self._told or self._left < 1:
            return False
        self._left -= 1
        self._told[reason, message] = now
        return True


class Herald:
    """Tells of one cluster."""

    def __init__(self, gateway: Gateway, namespace: str, name: str, uid: str) -> None:
        self._gateway, self._namespace = gateway, namespace
        self._about = {
            "apiVersion": CLUSTER.api_version,
            "kind": CLUSTER.name,
            "namespace": namespace,
            "name": name,
            "uid": uid,
        }
        self._allowance = Allowance()

    async def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Write an event; a failure is logged and no more."""
        if not self._allowance.grants(reason, message):
            return
        try:
            await self._gateway.create(
                EVENT, self._namespace, self._event(reason, message, warning=warning)
            )
        except Away:
            return  # Of that the outage tells.
        except ArgusError as error:
            log.warning("an event could not be written: %s", error)

    def _event(self, reason: str, message: str, *, warning: bool) -> dict[str, Any]:
        now = spelled_now()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{self._about['name']}.{secrets.token_hex(8)}",
                "namespace": self._namespace,
            },
            "involvedObject": self._about,
            "reason": reason,
            "message": message[:_LONGEST],
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": FIELD_MANAGER},
        }
