"""`python -m argus_console`: the page of a cluster, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from argus_client import Tls
from argus_console.console import Console, Routers
from argus_rpc import lifecycle
from argus_rpc.tls import TlsFiles


def main() -> None:
    """Parse the arguments and run."""
    arguments = _parser().parse_args()
    if arguments.die_with_parent:
        lifecycle.die_with_parent()
    lifecycle.run("argus-console", lambda stop: _serve(arguments, stop))


async def _serve(arguments: argparse.Namespace, stop: asyncio.Event) -> None:
    console = Console(
        Routers(
            addresses=arguments.router,
            api_key=_key(arguments.api_key_file),
            control_key=_key(arguments.control_key_file),
            tls=_router_tls(arguments),
        ),
        http=arguments.http,
        keys=arguments.keys,
        tls=_tls(arguments),
    )
    lifecycle.announce(http=await console.start())
    await stop.wait()
    await console.stop()


def _key(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from error


def _router_tls(arguments: argparse.Namespace) -> Tls | None:
    if arguments.router_ca is None:
        return None
    return Tls(
        ca=arguments.router_ca,
        certificate=arguments.router_cert,
        key=arguments.router_cert_key,
        server_name=arguments.router_name,
    )


def _tls(arguments: argparse.Namespace) -> TlsFiles | None:
    certificate, key = arguments.tls_cert, arguments.tls_key
    if (certificate is None) != (key is None):
        raise SystemExit("--tls-cert and --tls-key go together")
    return TlsFiles(certificate=certificate, key=key) if certificate else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="argus_console", description=__doc__)
    parser.add_argument(
        "--router",
        action="append",
        required=True,
        help="address of a router, or dns:///HOST:PORT for all of a name; repeatable",
    )
    parser.add_argument(
        "--http", default="127.0.0.1:8090", help="HOST:PORT to listen on; port 0 takes a free one"
    )
    parser.add_argument(
        "--keys",
        type=Path,
        help="the routers' file of API keys, followed: whoever has one may sign in; without it "
        "only a loopback address is listened on",
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate with its chain, PEM, followed")
    parser.add_argument("--tls-key", type=Path, help="its key, PEM, followed")
    parser.add_argument("--api-key-file", type=Path, help="the console's own key, of a tenant")
    parser.add_argument("--control-key-file", type=Path, help="its key of the control service")
    parser.add_argument("--router-ca", type=Path, help="whom to trust as routers, PEM; means TLS")
    parser.add_argument("--router-name", default="", help="the name in the routers' certificates")
    parser.add_argument("--router-cert", type=Path, help="to show to routers that ask for one, PEM")
    parser.add_argument("--router-cert-key", type=Path, help="its key, PEM")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent ends")
    return parser


if __name__ == "__main__":
    main()
