"""Asks the predictor, for no longer than a request can bear; falls back to the priors.

Said once when the predictor is lost and once when it is back. While it is lost it is asked
once a second only, so that a predictor that hangs does not slow every request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from argus_core.errors import NotBuilt
from argus_core.spec import ClusterSpec
from argus_protos.v1 import predictor_pb2
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceStub
from argus_router.answer import Prediction, Question, priors, read
from argus_router.asking import Asking, Refused
from argus_rpc.channel import Opened
from argus_rpc.errors import from_rpc
from argus_rpc.meanwhile import call_off
from argus_rpc.peers import Peers

if TYPE_CHECKING:
    from argus_protos.v1.predictor_pb2_grpc import PredictorServiceAsyncStub

log = logging.getLogger(__name__)

_PATIENCE = 0.05
"""Seconds that an answer may take."""
_LABEL_PATIENCE = 5.0
"""Seconds that it may take to take a label: nobody waits for it."""
_SHARE = 0.05
"""Of a request's slack that may go into the prediction."""
_REASONS = {
    "DEADLINE_EXCEEDED": "timeout",
    "RESOURCE_EXHAUSTED": "shed",
    "INVALID_ARGUMENT": "refused",
}
_THERE = ("shed", "refused")
_LATE = 3
"""Answers in a row that do not come in time before it counts as lost: one may, where it is busy."""
_ASK_AGAIN = 1.0
"""Seconds between questions to a predictor that is lost."""
_OUTLASTED = 2 * _LABEL_PATIENCE
"""Seconds after which every call on a channel that was left has ended."""


class Predictor:
    """A predictor at an address, or none."""

    def __init__(
        self,
        spec: ClusterSpec,
        address: str | None,
        *,
        clock: Callable[[], float],
        tell: Callable[[bool], None] = lambda _there: None,
        peers: Peers | None = None,
    ) -> None:
        """Connects nowhere yet.

        Args:
            spec: what the cluster shall be.
            address: the predictor's; None for none.
            clock: monotonic seconds.
            tell: hears of each answer whether the predictor is there.
            peers: how it is met; None for plainly.

        Raises:
            InvalidRequest: a file of the peers' cannot be read.
        """
        self._ladder, self._priors = spec.ladder, dict(priors(spec.ladder))
        self._clock, self._tell = clock, tell
        self._address, self._peers = address, peers
        self._opened: Opened | None = None
        self._stub: PredictorServiceAsyncStub | None = None
        self._asking: Asking | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._open()
        self._lost, self._why = False, ""
        self._late = 0
        """Answers in a row that did not come in time."""
        self._ask_at = 0.0

    @property
    def asks(self) -> bool:
        """Whether there is a predictor that takes a while to answer."""
        return self._stub is not None

    @property
    def unasked(self) -> Prediction:
        """What is known of a prompt beforehand."""
        return Prediction(qualities=self._priors)

    def start(self) -> None:
        """Connect, so that the first request need not wait for it."""
        if self._opened is not None:
            self._opened.channel.get_state(try_to_connect=True)

    async def close(self) -> None:
        """Close the channel."""
        await call_off(self._leaving)
        if self._asking is not None:
            await self._asking.close()
        if self._opened is not None:
            await self._opened.channel.close()

    def _open(self) -> None:
        if not self._address:
            return
        self._opened = Opened(self._address, self._peers)
        self._stub = PredictorServiceStub(self._opened.channel)
        self._asking = Asking(self._stub)

    def _renew(self) -> None:
        """Ask over another channel where there is another certificate to show by now."""
        if self._opened is None or not self._opened.stale:
            return
        leave = _leave(self._asking, self._opened.channel)
        leaving = asyncio.create_task(leave, name="predictor before")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        self._open()
        self.start()

    async def predict(
        self, prompt: str, *, slack: float, question: Question | None = None
    ) -> Prediction:
        """Quality of a prompt at every level; takes at most 50 ms and 5 % of `slack` seconds.

        Nothing is asked about latents without a question.
        """
        began = self._clock()
        if self._asking is None:
            return self._fallback("none")
        if self._lost and began < self._ask_at:
            return self._fallback("lost")
        # The next requests do not wait for this one to find out.
        self._ask_at = began + _ASK_AGAIN
        patience = min(_PATIENCE, slack * _SHARE)
        prediction = await self._ask(self._asking, prompt, question, patience, began)
        # A request in too great a hurry says nothing about the predictor, and one that it does not
        # take says that it is there.
        hurried = prediction.fallback == "timeout" and patience < _PATIENCE
        if not hurried and prediction.fallback not in _THERE:
            self._note(prediction.fallback)
        return prediction

    async def label(self, label: predictor_pb2.Label) -> None:
        """Tell how good an image turned out to be.

        Raises:
            ArgusError: it was not taken.
        """
        if self._stub is None:
            raise NotBuilt("there is no predictor")
        request = predictor_pb2.AddLabelsRequest(labels=[label])
        try:
            await self._stub.AddLabels(request, timeout=_LABEL_PATIENCE)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def _ask(
        self,
        asking: Asking,
        prompt: str,
        question: Question | None,
        patience: float,
        began: float,
    ) -> Prediction:
        request = predictor_pb2.PredictRequest(prompt=prompt)
        if question is not None:
            request.scope, request.with_embedding = question.scope, True
            request.compatibility.update(question.compatibility)
        try:
            response = await asking.ask(request, timeout=max(patience, 0.001))
        except Refused as error:
            self._why = error.why
            return self._fallback(_REASONS.get(error.code, "lost"), self._clock() - began)
        took = self._clock() - began
        told = read(response, self._ladder, question, seconds=took)
        return told or self._fallback("invalid", took)

    def _fallback(self, reason: str, seconds: float = 0.0) -> Prediction:
        return Prediction(qualities=self._priors, seconds=seconds, fallback=reason)

    def _note(self, fallback: str) -> None:
        self._late = self._late + 1 if fallback == "timeout" else 0
        if 0 < self._late < _LATE and not self._lost:
            return
        if fallback and not self._lost:
            why = self._why or fallback
            log.warning("predictor lost (%s): levels are chosen by their priors", why)
        elif not fallback and self._lost:
            log.info("predictor is back")
        self._lost = bool(fallback)
        self._tell(not fallback)
        if self._lost:
            self._renew()


async def _leave(asking: Asking | None, channel: grpc.aio.Channel) -> None:
    """Close what calls may still run on, once none can."""
    try:
        await asyncio.sleep(_OUTLASTED)
    finally:
        if asking is not None:
            await asking.close()
        await channel.close()
