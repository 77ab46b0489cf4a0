"""The client for code without asyncio; may be shared by threads, and used beside any event loop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Self

import grpc

from argus_client.opening import Tls, metadata, open_sync
from argus_client.order import Order
from argus_client.patience import Heard, Patience, nothing, timeout
from argus_client.picture import Accepted, Collected, Event, Picture, Progress, event_of, noted
from argus_client.retry import Retry
from argus_core.errors import ArgusError
from argus_protos.v1 import images_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_rpc import tracing
from argus_rpc.errors import from_rpc


class Client:
    """A client of a cluster."""

    def __init__(
        self,
        endpoint: str,
        *,
        tenant: str = "",
        api_key: str = "",
        tls: Tls | None = None,
        retry: Retry | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """See `AsyncClient`; `sleep` waits between two tries."""
        self._metadata = metadata(tenant=tenant, api_key=api_key)
        self._retry, self._clock, self._sleep = retry or Retry(), clock, sleep
        self._rng = rng or random.Random()
        self._channel = open_sync(endpoint, tls)
        self._images = ImageServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._channel.close()

    def generate(self, order: Order) -> Generator[Event]:
        """See `AsyncClient.generate`."""
        patience = self._patience(order.deadline)
        while True:
            told = False
            try:
                with closing(self._generate_once(order, patience)) as events:
                    for event in events:
                        told = True
                        yield event
            except ArgusError as error:
                if told:
                    raise
                self._sleep(patience.delay(error))
            else:
                return

    def draw(
        self,
        order: Order,
        *,
        on_accepted: Callable[[Accepted], None] = nothing,
        on_progress: Callable[[Progress], None] | None = None,
        on_retry: Heard = nothing,
    ) -> list[Picture]:
        """See `AsyncClient.draw`."""
        patience = self._patience(order.deadline, on_retry)
        while True:
            try:
                return self._draw_once(order, patience, on_accepted, on_progress)
            except ArgusError as error:
                self._sleep(patience.delay(error))

    def describe(self, *, timeout: float = 10.0) -> images_pb2.DescribeClusterResponse:
        """See `AsyncClient.describe`."""
        patience = self._patience(timeout)
        request = images_pb2.DescribeClusterRequest()
        while True:
            try:
                return self._describe_once(request, patience.begin())
            except ArgusError as error:
                self._sleep(patience.delay(error))

    def _describe_once(
        self, request: images_pb2.DescribeClusterRequest, remaining: float
    ) -> images_pb2.DescribeClusterResponse:
        try:
            return self._images.DescribeCluster(request, timeout=remaining, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc(error) from error

    def _draw_once(
        self,
        order: Order,
        patience: Patience,
        on_accepted: Callable[[Accepted], None],
        on_progress: Callable[[Progress], None] | None,
    ) -> list[Picture]:
        drawn, heard = Collected(on_accepted, on_progress), on_progress is not None
        with closing(self._generate_once(order, patience, progress=heard)) as events:
            for event in events:
                drawn.hear(event)
        return drawn.pictures()

    def _generate_once(
        self, order: Order, patience: Patience, *, progress: bool = True
    ) -> Generator[Event]:
        remaining, calling = patience.begin(), tracing.Calling("argus.generate")
        call = self._images.Generate(
            order.message(remaining=remaining, progress=progress),
            timeout=timeout(remaining),
            metadata=(*self._metadata, *calling.metadata),
        )
        pictures, ended = 0, "CANCELLED"
        try:
            for response in call:
                event = event_of(response)
                pictures += isinstance(event, Picture)
                noted(calling, event)
                yield event
            ended = ""
        except grpc.RpcError as error:
            # With all of its pictures a request is answered, however late it is called over.
            ended = ""
            if pictures < order.count:
                ended = error.code().name
                raise from_rpc(error) from error
        finally:
            call.cancel()
            calling.end(ended)

    def _patience(self, deadline: float | None, heard: Heard = nothing) -> Patience:
        return Patience(deadline, retry=self._retry, clock=self._clock, rng=self._rng, heard=heard)
