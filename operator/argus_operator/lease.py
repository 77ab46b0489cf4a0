"""The operator's Lease: who holds it acts, and nobody else does.

Times are this process's own: whoever waits takes a lease over only once it has seen it unchanged
for as long as the holder promised to renew it, so clocks need not agree. Who cannot renew in time
stops acting before another may begin: its time runs from before it asked, not from the answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

from argus_core.errors import ArgusError, Unavailable
from argus_operator.gateway import Away, Conflict, Gateway
from argus_operator.kinds import LEASE

log = logging.getLogger(__name__)

DURATION = 30
"""Seconds without a renewal after which another may take it."""
_RENEW = 3.0
"""Seconds between renewals."""
_GIVE_UP = 20.0
"""Seconds without a renewal after which the holder stops acting: an API server may be busy for a
while, and to look at all anew would be no help to it."""


class Lease:
    """See the module; `acquire`, then `keep` for as long as one acts."""

    def __init__(self, gateway: Gateway, *, namespace: str, name: str, identity: str) -> None:
        self._gateway = gateway
        self._namespace, self._name, self._identity = namespace, name, identity
        self._seen: tuple[Any, float] = (None, 0.0)
        self._standing: dict[str, Any] = {}
        self._renewed = 0.0
        """When that was asked for which has made it ours, or kept it so."""
        self.held = False

    @property
    def in_force(self) -> bool:
        """Whether one may act now: also when this process has stood still, and `keep` with it."""
        return self.held and time.monotonic() - self._renewed <= _GIVE_UP

    async def acquire(self) -> None:
        """Return once it is ours, however long that takes."""
        while not await self._try():  # noqa: ASYNC110 - the API server is asked
            await asyncio.sleep(_RENEW)
        self.held = True
        log.info("%s holds the lease %s/%s", self._identity, self._namespace, self._name)

    async def keep(self) -> None:
        """Renew it until cancelled.

        Raises:
            Unavailable: it is lost, or could not be renewed in time: act no more.
        """
        while True:
            await asyncio.sleep(_RENEW)
            left = _GIVE_UP - (time.monotonic() - self._renewed)
            try:
                async with asyncio.timeout(max(left, 0.1)):
                    ours = await self._try()
            except TimeoutError:
                ours = None
            if ours is False:
                self.held = False
                raise Unavailable("another operator holds the lease")
            if not self.in_force:
                self.held = False
                raise Unavailable("the lease could not be renewed in time")

    async def release(self) -> None:
        """Let another begin at once, where that can be told."""
        if not self.held:
            return
        self.held = False
        spec = {**self._standing["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            released = {**self._standing, "spec": spec}
            await self._gateway.replace(LEASE, self._namespace, self._name, released)
        except ArgusError as error:
            log.warning("the lease could not be given back: %s", error)

    async def _try(self) -> bool | None:
        """Take or renew it; False where another holds it, None where nobody answered."""
        began = time.monotonic()
        try:
            found = await self._gateway.get(LEASE, self._namespace, self._name)
            if found is None:
                self._standing = await self._gateway.create(
                    LEASE, self._namespace, self._spelled(None)
                )
                self._renewed = began
                return True
            if not self._may_take(found["spec"]):
                return False
            self._standing = await self._gateway.replace(
                LEASE, self._namespace, self._name, self._spelled(found)
            )
        except Conflict:
            return False if not self.held else None
        except Unavailable as error:
            if not isinstance(error, Away):  # Of that the outage tells.
                log.warning("the lease could not be read or written: %s", error)
            return None
        self._renewed = began
        return True

    def _may_take(self, spec: dict[str, Any]) -> bool:
        holder = spec.get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        mark, now = (holder, spec.get("renewTime")), time.monotonic()
        if self._seen[0] != mark:
            self._seen = (mark, now)
        return now - self._seen[1] > float(spec.get("leaseDurationSeconds") or DURATION)

    def _spelled(self, found: dict[str, Any] | None) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before: dict[str, Any] = found["spec"] if found else {}
        renewed = before.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION,
            "renewTime": now,
            "acquireTime": before.get("acquireTime", now) if renewed else now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (not renewed),
        }
        meta = found["metadata"] if found else {"name": self._name}
        return {"apiVersion": LEASE.api_version, "kind": "Lease", "metadata": meta, "spec": spec}
