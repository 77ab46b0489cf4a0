"""Sends requests at their moments, whatever becomes of the others: an open loop.

Latency counts from the moment at which a request should have been sent, so that a generator that
falls behind, or a server that makes it wait, hides nothing ("coordinated omission", G. Tene). What
is under way is bounded; beyond it requests are dropped here, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace

from argus_cli.load.record import DROPPED, OK, UNANSWERED, Record
from argus_client import Accepted, AsyncClient, Order, Picture, Retry, Tls
from argus_core.errors import ArgusError
from argus_rpc.meanwhile import call_off

_SOON = 0.1
"""Seconds before the first request, for all to be ready."""
_GRACE = 5.0
"""Seconds beyond its deadline that an answer is waited for."""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """One request to be."""

    at: float
    """Seconds since the load began."""
    prompt: int
    order: Order
    """Its deadline must be set."""
    tenant: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """How to reach whom."""

    endpoint: str
    clients: int = 1
    """Connections; requests take turns on them."""
    api_key: str = ""
    tls: Tls | None = None
    attempts: int = 1
    """Tries of a request; more than one hides what the first met with."""


class Load:
    """A load under way: `run` it once; `records` grows, in the order in which requests end."""

    def __init__(
        self,
        line: Line,
        sendings: Sequence[Sending],
        *,
        most: int,
        order: Callable[[Sending], Order] = lambda sending: sending.order,
    ) -> None:
        """Nothing is sent yet.

        Args:
            line: to whom.
            sendings: in the order of their moments.
            most: requests that may be under way at once.
            order: asked at its moment what a request shall be; its deadline stays.
        """
        self._line, self._sendings, self._most, self._order = line, sendings, most, order
        self.records: list[Record] = []
        self.under_way = 0
        self.began = 0.0
        """On the monotonic clock; 0 before it runs."""
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Send no more; what is under way goes on, and what was not sent is told of by nobody."""
        self._ended.set()

    async def run(self, tell: Callable[[], None] = lambda: None) -> None:
        """Send everything, and wait for all answers; `tell` is called as each ends.

        Cancelled, it gives up what is under way, and tells so.
        """
        async with AsyncExitStack() as stack:
            clients = {
                tenant: [await stack.enter_async_context(self._client(tenant))
                         for _ in range(self._line.clients)]
                for tenant in sorted({sending.tenant for sending in self._sendings})
            }  # fmt: skip
            self.began = time.monotonic() + _SOON
            tasks: set[asyncio.Task[None]] = set()
            try:
                for number, sending in enumerate(self._sendings):
                    if not await self._until(sending.at):
                        break
                    theirs = clients[sending.tenant]
                    if self.under_way >= self._most:
                        self._note(_unsent(number, sending), tell)
                        continue
                    self.under_way += 1
                    one = self._one(number, sending, theirs[number % len(theirs)], tell)
                    task = asyncio.create_task(one)
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await asyncio.gather(*tasks)
            finally:
                await call_off(tasks)

    def _client(self, tenant: str) -> AsyncClient:
        line = self._line
        return AsyncClient(
            line.endpoint,
            tenant=tenant,
            api_key=line.api_key,
            tls=line.tls,
            retry=Retry(attempts=line.attempts),
        )

    async def _until(self, at: float) -> bool:
        """Wait for the moment; False where nothing is sent any more."""
        # Others get a turn even where it is late already.
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(max(0.0, self.began + at - time.monotonic())):
                await self._ended.wait()
        except TimeoutError:
            return True
        return False

    def _now(self) -> float:
        return time.monotonic() - self.began

    async def _one(
        self, number: int, sending: Sending, client: AsyncClient, tell: Callable[[], None]
    ) -> None:
        record = replace(_unsent(number, sending), code=UNANSWERED, sent=self._now())
        try:
            async with asyncio.timeout((sending.order.deadline or 0.0) + _GRACE):
                record = await self._answered(record, self._order(sending), client)
        except TimeoutError:
            record = replace(record, last=self._now())
        finally:
            self.under_way -= 1
            self._note(record, tell)

    async def _answered(self, record: Record, order: Order, client: AsyncClient) -> Record:
        first: float | None = None
        answers, accepted, picture = 0, None, None
        error: ArgusError | None = None
        try:
            async with aclosing(client.generate(order)) as events:
                async for event in events:
                    first = self._now() if first is None else first
                    if isinstance(event, Accepted):
                        accepted = event
                    if isinstance(event, Picture):
                        picture, answers = event, answers + 1
        except ArgusError as raised:
            error, answers = raised, answers + 1
        return replace(
            record,
            first=first,
            last=self._now(),
            answers=answers,
            code=OK if error is None and picture else error.code if error else UNANSWERED,
            message=str(error) if error else "",
            level=picture.level if picture else "",
            worker=picture.worker if picture else "",
            quality=picture.decision.predicted_quality if picture else None,
            attempts=picture.attempts if picture else 0,
            request_id=accepted.request_id if accepted else "",
        )

    def _note(self, record: Record, tell: Callable[[], None]) -> None:
        self.records.append(record)
        tell()


def _unsent(number: int, sending: Sending) -> Record:
    return Record(
        number=number,
        prompt=sending.prompt,
        tenant=sending.tenant,
        intended=sending.at,
        sent=None,
        first=None,
        last=None,
        deadline=sending.order.deadline or 0.0,
        code=DROPPED,
        answers=0,
    )
