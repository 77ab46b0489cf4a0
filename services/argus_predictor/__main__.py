"""`python -m argus_predictor`: one predictor, from its arguments until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from argus_core.errors import ArgusError
from argus_predictor.host import Host
from argus_rpc import lifecycle, peers
from argus_rpc.document import load_or_exit

_GRACE = 2.0
"""Seconds for predictions under way when told to stop; each takes milliseconds."""


def main() -> None:
    """Parse the arguments and run."""
    arguments = _parser().parse_args()
    if arguments.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run("argus-predictor", lambda stop: _serve(arguments, stop))


async def _serve(arguments: argparse.Namespace, stop: asyncio.Event) -> None:
    cluster = load_or_exit(arguments.cluster)
    where = cluster.metadata
    try:
        host = Host(
            cluster,
            address=arguments.address,
            state=arguments.state_dir,
            metrics_port=arguments.metrics_port,
            peers=peers.peers_of(arguments.internal_tls, where.name, where.namespace),
            probe=arguments.probe,
        )
        port = await host.start()
    except ArgusError as error:
        sys.exit(f"argus_predictor: {error}")
    metrics = {"metrics": host.exposition.address} if host.exposition else {}
    lifecycle.settle()
    lifecycle.announce(address=f"{arguments.address.rpartition(':')[0]}:{port}", **metrics)
    await stop.wait()
    await host.stop(_GRACE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="argus_predictor", description=__doc__)
    parser.add_argument("--cluster", type=Path, required=True, help="the ArgusCluster document")
    parser.add_argument(
        "--address", default="127.0.0.1:0", help="HOST:PORT to listen on; port 0 takes a free one"
    )
    parser.add_argument(
        "--state-dir", type=Path, help="folder of labels and heads; none learns not"
    )
    parser.add_argument("--metrics-port", type=int, help="of the metrics; 0 takes a free one")
    peers.add_options(parser)
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent ends")
    return parser


if __name__ == "__main__":
    main()
