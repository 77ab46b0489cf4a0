"""A worker that answers at once, or after a while, to see what is before it. It draws nothing.

python -m support.instant --name w0 --loadout first,second      (in bench/)
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc

from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_protos.v1.worker_pb2_grpc import (
    WorkerServiceServicer,
    add_WorkerServiceServicer_to_server,
)
from argus_rpc import lifecycle
from argus_rpc.server import Server
from argus_worker.many import Many

STEPS = 3
"""That are told of, before the picture, to who wants to hear of all: five messages a call."""
_PICTURE = b"\x89PNG" + bytes(10_000)

Context = grpc.aio.ServicerContext[Any, Any]


class Instant(WorkerServiceServicer):
    """Always ready; answers every call with the same bytes, after so many seconds."""

    def __init__(self, name: str, loadout: list[str], *, seconds: float, slots: int) -> None:
        self._seconds = seconds
        self._state = cluster_pb2.WorkerState(
            worker=name, pool="cpu", phase=cluster_pb2.WORKER_PHASE_READY, loadout=loadout,
            slots=slots,
        )  # fmt: skip
        started = worker_pb2.ExecuteStarted(worker=name)
        image = cluster_pb2.Image(format=cluster_pb2.IMAGE_FORMAT_PNG, data=_PICTURE)
        image.size.width = image.size.height = 48
        self._told = [
            worker_pb2.ExecuteResponse(started=started),
            *(worker_pb2.ExecuteResponse(progress=worker_pb2.ExecuteProgress(step=n, steps=STEPS))
              for n in range(1, STEPS + 1)),
            worker_pb2.ExecuteResponse(result=worker_pb2.ExecuteResult(image=image)),
        ]  # fmt: skip

    async def Execute(  # noqa: N802 - the proto's name
        self, request: worker_pb2.ExecuteRequest, context: Context
    ) -> AsyncIterator[worker_pb2.ExecuteResponse]:
        """See the proto."""
        del context
        # Steps that take no time are sooner than any interval.
        for told in () if request.HasField("progress_interval") else self._told[:-1]:
            yield told
        if self._seconds:
            await asyncio.sleep(self._seconds)
        yield self._told[-1]

    async def ExecuteMany(  # noqa: N802 - the proto's name
        self, requests: AsyncIterator[worker_pb2.ExecuteManyRequest], context: Context
    ) -> AsyncIterator[worker_pb2.ExecuteManyResponse]:
        """See the proto."""
        async for message in Many(self.Execute).serve(requests, context):
            yield message

    async def Watch(  # noqa: N802 - the proto's name
        self, request: worker_pb2.WatchRequest, context: Context
    ) -> AsyncIterator[worker_pb2.WatchResponse]:
        """See the proto."""
        del request, context
        while True:
            yield worker_pb2.WatchResponse(state=self._state)
            await asyncio.sleep(5.0)


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    # Calls that it does not have are UNIMPLEMENTED.
    servicer = Instant(  # type: ignore[abstract]
        options.name, options.loadout.split(","), seconds=options.seconds, slots=options.slots
    )
    server = Server(
        address="127.0.0.1:0",
        servicers=[(add_WorkerServiceServicer_to_server, servicer)],
        services=["argus.v1.WorkerService"],
    )
    port = await server.start()
    print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
    await stop.wait()
    await server.stop(0)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="w0")
    parser.add_argument("--loadout", required=True)
    parser.add_argument("--seconds", type=float, default=0.0, help="that an image takes")
    parser.add_argument("--slots", type=int, default=64, help="requests that it takes at once")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent ends")
    options = parser.parse_args()
    if options.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run("instant", lambda stop: _serve(options, stop))


if __name__ == "__main__":
    main()
