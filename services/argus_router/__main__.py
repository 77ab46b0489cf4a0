"""`python -m argus_router`: one router, from its arguments until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from argus_router.router import Router
from argus_rpc import lifecycle, peers, roster
from argus_rpc.document import load_or_exit
from argus_rpc.tls import TlsFiles


def main() -> None:
    """Parse the arguments and run."""
    arguments = _parser().parse_args()
    if arguments.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run("argus-router", lambda stop: _serve(arguments, stop))


async def _serve(arguments: argparse.Namespace, stop: asyncio.Event) -> None:
    cluster = load_or_exit(arguments.cluster)
    ports, where = cluster.spec.router, cluster.metadata
    file, fixed = arguments.workers_file, arguments.worker
    router = Router(
        cluster,
        workers=roster.followed(file) if file else roster.found(fixed),
        predictor=arguments.predictor,
        grpc=arguments.grpc or f"127.0.0.1:{ports.grpc_port}",
        http=arguments.http or f"127.0.0.1:{ports.http_port}",
        probe=arguments.probe,
        tls=_tls(arguments),
        keys=arguments.keys,
        peers=peers.peers_of(arguments.internal_tls, where.name, where.namespace),
    )
    grpc, http = await router.start()
    lifecycle.settle()
    lifecycle.announce(grpc=grpc, http=http)
    await stop.wait()
    await router.stop(arguments.grace)


def _tls(arguments: argparse.Namespace) -> TlsFiles | None:
    certificate, key = arguments.tls_cert, arguments.tls_key
    if (certificate is None) != (key is None) or (arguments.tls_client_ca and not key):
        raise SystemExit("--tls-cert and --tls-key go together, and --tls-client-ca with them")
    if certificate is None:
        return None
    return TlsFiles(certificate=certificate, key=key, client_ca=arguments.tls_client_ca)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="argus_router", description=__doc__)
    parser.add_argument("--cluster", type=Path, required=True, help="the ArgusCluster document")
    workers = parser.add_mutually_exclusive_group(required=True)
    workers.add_argument("--workers-file", type=Path, help="JSON list of workers, followed")
    workers.add_argument(
        "--worker",
        action="append",
        help="address of a worker, or dns:///HOST:PORT for all of a name; repeatable",
    )
    parser.add_argument("--predictor", help="address of the predictor; priors without it")
    parser.add_argument("--grpc", help="HOST:PORT to listen on; port 0 takes a free one")
    parser.add_argument("--http", help="HOST:PORT to listen on; port 0 takes a free one")
    parser.add_argument(
        "--probe", help="HOST:PORT for /healthz and /readyz alone, always without TLS"
    )
    peers.add_option(parser)
    parser.add_argument("--tls-cert", type=Path, help="certificate with its chain, PEM, followed")
    parser.add_argument("--tls-key", type=Path, help="its key, PEM, followed")
    parser.add_argument(
        "--tls-client-ca", type=Path, help="clients need certificates of these, PEM, followed"
    )
    parser.add_argument(
        "--keys",
        type=Path,
        action="append",
        default=[],
        help="file of API keys, followed; repeatable, and without any everybody may come in",
    )
    parser.add_argument("--grace", type=float, default=30.0, help="seconds to drain on SIGTERM")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent ends")
    return parser


if __name__ == "__main__":
    main()
