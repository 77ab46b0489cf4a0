"""The worker's process: `python -m argus_worker --name w0 --pool cpu --cluster cluster.yaml`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from argus_core.errors import InvalidRequest
from argus_core.spec import Pool
from argus_core.stepping import profiled
from argus_rpc import lifecycle, peers
from argus_rpc.document import load_or_exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop; the exit status is not 0 where the arguments are wrong."""
    options = _parser().parse_args(arguments)
    if options.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run("argus-worker", lambda stop: _serve(options, stop))


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    document = load_or_exit(options.cluster)
    pool, where = _pool(document.spec.pools, options.pool), document.metadata
    known = peers.peers_of(options.internal_tls, where.name, where.namespace)
    # Torch is slow to import: wrong arguments are told before it.
    from argus_worker.host import Host, Settings, run  # noqa: PLC0415

    host = Host(
        Settings(
            name=options.name,
            pool=options.pool,
            variants=document.spec.variants,
            address=options.address,
            loadout=[name for name in options.loadout.split(",") if name],
            device=options.device,
            threads=options.threads or pool.threads,
            slots=options.slots or pool.slots,
            host_bytes=options.host_bytes,
            encodings_bytes=options.encodings_bytes,
            compiled=options.compiled,
            step_seconds=profiled(document.spec.ladder, pool.gpu_type),
            step_pixels=document.spec.default_size.width * document.spec.default_size.height,
            step_floor=options.step_floor,
            metrics_port=options.metrics_port,
            latent_store=document.spec.latent_store,
            peers=known,
            probe=options.probe,
        )
    )
    port = await host.start()
    metrics = {"metrics": host.exposition.address} if host.exposition else {}
    lifecycle.announce(address=f"{options.address.rpartition(':')[0]}:{port}", **metrics)
    await run(host, stop, grace=options.grace)


def _pool(pools: Sequence[Pool], name: str) -> Pool:
    for pool in pools:
        if pool.name == name:
            return pool
    raise InvalidRequest.one("--pool", f"no pool {name!r} in the cluster")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m argus_worker", description=__doc__)
    parser.add_argument("--name", required=True, help="unique within the cluster")
    parser.add_argument("--pool", required=True, help="of the cluster document")
    parser.add_argument("--cluster", required=True, type=Path, help="ArgusCluster document, YAML")
    parser.add_argument("--address", default="127.0.0.1:0", help="port 0 takes a free one")
    parser.add_argument("--loadout", default="", help="variants to hold at first, by commas")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda, cuda:1")
    parser.add_argument("--threads", type=int, help="of the engine on a CPU; default: the pool's")
    parser.add_argument("--slots", type=int, help="images at once; default: the pool's")
    parser.add_argument(
        "--host-bytes", type=int, help="host memory for weights; default: half of the machine's"
    )
    parser.add_argument(
        "--encodings-bytes",
        type=int,
        default=256 * 2**20,
        help="host memory for what prompts were encoded to; 0 keeps none",
    )
    parser.add_argument(
        "--compiled",
        type=Path,
        help="folder of what was compiled; whoever can write there can run code here",
    )
    parser.add_argument("--metrics-port", type=int, help="of the metrics; 0 takes a free one")
    peers.add_options(parser)
    parser.add_argument(
        "--grace", type=float, default=20.0, help="seconds for running work when told to stop"
    )
    parser.add_argument(
        "--step-floor",
        type=float,
        default=60.0,
        help="seconds that any step may take before the process ends itself, to be started anew",
    )
    parser.add_argument(
        "--die-with-parent", action="store_true", help="end when the parent process ends (Linux)"
    )
    return parser


if __name__ == "__main__":
    main()
