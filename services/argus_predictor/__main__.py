"""`python -m argus_predictor`: one predictor, from its arguments until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from argus_core.spec import ArgusCluster
from argus_predictor.service import Priors
from argus_protos.v1.predictor_pb2_grpc import add_PredictorServiceServicer_to_server
from argus_rpc import lifecycle
from argus_rpc.document import load_or_exit
from argus_rpc.server import Server

_GRACE = 2.0
"""Seconds for predictions under way when told to stop; each takes milliseconds."""


def main() -> None:
    """Parse the arguments and run."""
    arguments = _parser().parse_args()
    if arguments.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run(lambda stop: _serve(arguments, stop))


def predictor_server(cluster: ArgusCluster, address: str) -> Server:
    """A predictor of priors, not yet started."""
    return Server(
        address=address,
        servicers=[(add_PredictorServiceServicer_to_server, Priors(cluster.spec.ladder))],
        services=["argus.v1.PredictorService"],
    )


async def _serve(arguments: argparse.Namespace, stop: asyncio.Event) -> None:
    server = predictor_server(load_or_exit(arguments.cluster), arguments.address)
    host = arguments.address.rpartition(":")[0]
    lifecycle.announce(address=f"{host}:{await server.start()}")
    await server.set_serving(True)
    await stop.wait()
    await server.stop(_GRACE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="argus_predictor", description=__doc__)
    parser.add_argument("--cluster", type=Path, required=True, help="the ArgusCluster document")
    parser.add_argument(
        "--address", default="127.0.0.1:0", help="HOST:PORT to listen on; port 0 takes a free one"
    )
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent ends")
    return parser


if __name__ == "__main__":
    main()
