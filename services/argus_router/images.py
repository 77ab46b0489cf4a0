"""The gRPC front: ImageService over the router's service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from argus_protos.v1 import images_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceServicer
from argus_router.request import NOBODY, TENANT
from argus_router.service import Service
from argus_router.wire import request_of

Context = grpc.aio.ServicerContext[Any, Any]


class Images(ImageServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def Generate(  # noqa: N802 - the proto's name
        self, request: images_pb2.GenerateRequest, context: Context
    ) -> AsyncGenerator[images_pb2.GenerateResponse]:
        """See the proto."""
        asked = request_of(request, _tenant(context))
        events = self._service.draw(asked, call_deadline=context.time_remaining())
        async with aclosing(events):
            async for event in events:
                yield event

    async def DescribeCluster(  # noqa: N802 - the proto's name
        self, request: images_pb2.DescribeClusterRequest, context: Context
    ) -> images_pb2.DescribeClusterResponse:
        """See the proto."""
        del request, context
        return self._service.describe()


def _tenant(context: Context) -> str:
    """Whom the call names; two names are none, and are refused as such."""
    told = [value for key, value in context.invocation_metadata() or () if key == TENANT]
    return ", ".join(map(str, told)) if told else NOBODY
