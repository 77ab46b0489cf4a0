"""The gRPC front: ImageService over the router's service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from argus_protos.v1 import images_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceServicer
from argus_router.gate import AUTHORIZATION, Gate, values
from argus_router.request import TENANT
from argus_router.service import Service
from argus_router.wire import request_of
from argus_rpc.limits import Limits
from argus_rpc.patience import Patience

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


class Images(ImageServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, service: Service, gate: Gate, limits: Limits) -> None:
        self._service, self._gate = service, gate
        self._taking = Patience(limits.take)

    async def Generate(  # noqa: N802 - the proto's name
        self, request: images_pb2.GenerateRequest, context: Context
    ) -> AsyncGenerator[images_pb2.GenerateResponse]:
        """See the proto."""
        asked = request_of(request, self._tenant(context))
        events = self._service.draw(asked, call_deadline=context.time_remaining())
        cut = partial(self._cut, context, asyncio.current_task())
        async with aclosing(events):
            async for event in events:
                with self._taking.wait(cut):
                    yield event

    async def DescribeCluster(  # noqa: N802 - the proto's name
        self, request: images_pb2.DescribeClusterRequest, context: Context
    ) -> images_pb2.DescribeClusterResponse:
        """See the proto."""
        del request
        self._tenant(context)
        return self._service.describe()

    def _tenant(self, context: Context) -> str:
        told = context.invocation_metadata() or ()
        return self._gate.tenant(values(told, AUTHORIZATION), values(told, TENANT))

    def _cut(self, context: Context, writing: asyncio.Task[Any] | None) -> None:
        """End a call that its client takes nothing of; it hears why, once it takes something."""
        log.warning("a client took nothing for %g s; it is cut off", self._taking.seconds)
        assert writing is not None, "only tasks have clients"
        writing.cancel()
        told = context.abort(grpc.StatusCode.CANCELLED, "the answer was not taken in time")
        task = asyncio.ensure_future(told)
        # It always ends in an error of gRPC's own, which nobody waits for.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
