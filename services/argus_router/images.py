"""The gRPC front: ImageService over the router's service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from argus_protos.v1 import images_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceServicer
from argus_router.gate import AUTHORIZATION, Gate, values
from argus_router.request import TENANT
from argus_router.service import Service
from argus_router.wire import request_of

Context = grpc.aio.ServicerContext[Any, Any]


class Images(ImageServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, service: Service, gate: Gate) -> None:
        self._service, self._gate = service, gate

    async def Generate(  # noqa: N802 - the proto's name
        self, request: images_pb2.GenerateRequest, context: Context
    ) -> AsyncGenerator[images_pb2.GenerateResponse]:
        """See the proto."""
        asked = request_of(request, self._tenant(context))
        events = self._service.draw(asked, call_deadline=context.time_remaining())
        async with aclosing(events):
            async for event in events:
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
