"""A bare relay: what gRPC alone costs a router, which asks a predictor and passes a stream on.

    python -m support.relay --worker HOST:PORT --predictor HOST:PORT      (in bench/)

Nothing is checked, weighed, queued, counted or logged: the floor under whatever a router does.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from itertools import cycle
from typing import Any

import grpc

from argus_protos.v1 import cluster_pb2, images_pb2, predictor_pb2, worker_pb2
from argus_protos.v1.images_pb2_grpc import (
    ImageServiceServicer,
    add_ImageServiceServicer_to_server,
)
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceStub
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_rpc import lifecycle
from argus_rpc.channel import open_channel

Context = grpc.aio.ServicerContext[Any, Any]
_PATIENCE = 10.0


class Relay(ImageServiceServicer):
    """Passes on."""

    def __init__(self, workers: list[str], predictor: str | None) -> None:
        self._workers = cycle([WorkerServiceStub(open_channel(address)) for address in workers])
        self._predictor = PredictorServiceStub(open_channel(predictor)) if predictor else None

    async def Generate(  # noqa: N802 - the proto's name
        self, request: images_pb2.GenerateRequest, context: Context
    ) -> AsyncGenerator[images_pb2.GenerateResponse]:
        """See the proto."""
        del context
        if self._predictor is not None:
            asked = predictor_pb2.PredictRequest(prompt=request.prompt)
            await self._predictor.Predict(asked, timeout=_PATIENCE)
        execute = worker_pb2.ExecuteRequest(
            prompt=request.prompt, format=cluster_pb2.IMAGE_FORMAT_PNG
        )
        if request.without_progress:
            execute.progress_interval.seconds = 1
            yield images_pb2.GenerateResponse(accepted=images_pb2.Accepted())
        async for event in next(self._workers).Execute(execute, timeout=_PATIENCE):
            kind = event.WhichOneof("event")
            if kind == "started":
                yield images_pb2.GenerateResponse(accepted=images_pb2.Accepted())
            elif kind == "progress":
                step, steps = event.progress.step, event.progress.steps
                told = images_pb2.Progress(step=step, steps=steps)
                yield images_pb2.GenerateResponse(progress=told)
            else:
                result = images_pb2.Result(image=event.result.image)
                yield images_pb2.GenerateResponse(result=result)


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    server = grpc.aio.server()
    # Calls that it does not have are UNIMPLEMENTED.
    relay = Relay(options.worker, options.predictor)  # type: ignore[abstract]
    add_ImageServiceServicer_to_server(relay, server)
    port = server.add_insecure_port(options.grpc)
    await server.start()
    lifecycle.settle()
    lifecycle.announce(grpc=f"127.0.0.1:{port}")
    await stop.wait()
    await server.stop(0)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", action="append", required=True)
    parser.add_argument("--predictor")
    parser.add_argument("--grpc", default="127.0.0.1:0")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent ends")
    # What a router is told besides does not matter here.
    options, _ = parser.parse_known_args()
    if options.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run("relay", lambda stop: _serve(options, stop))


if __name__ == "__main__":
    main()
