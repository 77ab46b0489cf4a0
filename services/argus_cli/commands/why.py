"""`argus why`: why workers hold what they hold, and why a prompt was drawn as it was."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from argus_cli.local.reach import (
    Ca,
    Certificate,
    ControlKey,
    Endpoint,
    Key,
    ServerName,
    router_at,
    tls_of,
)
from argus_core.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from argus_client import AsyncClient, Tls
    from argus_protos.v1 import control_pb2

console = Console()
_INDENT = (0, 0, 0, 2)


def why(
    at: Annotated[
        str | None, typer.Option(help="What was in force then: 14:05, or 2026-11-25 14:05:30.")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="Id of a request, or `latest`: why it was drawn as it was.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="Tell so many changes.")] = 3,
    every: Annotated[
        bool, typer.Option("--every", help="Plans that changed nothing, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, a record a line.")] = False,
    endpoint: Endpoint = None,
    control_key: ControlKey = "",
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    server_name: ServerName = "",
) -> None:
    """Tell why workers hold what they hold, or why a prompt was drawn as it was."""
    if at is not None and request is not None:
        raise InvalidRequest.one("--request", "cannot be asked for together with --at")
    reach = _Reach(router_at(endpoint), control_key, tls_of(ca, certificate, key, server_name))
    if request is not None:
        asked = asyncio.run(_request(reach, request))
        _print_json([asked]) if as_json else _tell_request(asked)
        return
    records = asyncio.run(_plans(reach, changes_only=at is None and not every))
    records = records[-last:] if at is None else [_then(records, at)]
    if as_json:
        _print_json(records)
    elif not records:
        console.print("No plan was made yet.")
    for record in () if as_json else records:
        _tell_plan(record)


class _Reach(NamedTuple):
    """The router that is asked, as the control service."""

    address: str
    control_key: str
    tls: Tls | None

    def client(self) -> AsyncClient:
        from argus_client import AsyncClient  # noqa: PLC0415 - brings grpc, slow to import

        return AsyncClient(self.address, api_key=self.control_key, tls=self.tls)


async def _plans(reach: _Reach, *, changes_only: bool) -> list[control_pb2.PlanRecord]:
    async with reach.client() as client:
        return await client.plans(changes_only=changes_only)


async def _request(reach: _Reach, name: str) -> control_pb2.RequestRecord:
    async with reach.client() as client:
        return await client.explain("" if name == "latest" else name)


def _then(records: list[control_pb2.PlanRecord], said: str) -> control_pb2.PlanRecord:
    from argus_cli.why import plans  # noqa: PLC0415 - brings protobuf
    from argus_cli.why.moment import moment_of  # noqa: PLC0415

    found = plans.at(records, moment_of(said, datetime.now().astimezone()))
    if found is None:
        first = f"; the first began {plans.headline(records[0], None)}" if records else ""
        raise NotFound(f"no plan is remembered of {said}{first}")
    return found


def _tell_plan(record: control_pb2.PlanRecord) -> None:
    from argus_cli.why import plans  # noqa: PLC0415 - brings protobuf

    console.print(Text(plans.headline(record, None), style="bold"))
    for sentence in plans.details(record):
        console.print(Padding(Text(sentence), _INDENT, expand=False))


def _tell_request(record: control_pb2.RequestRecord) -> None:
    from argus_cli.why import request  # noqa: PLC0415 - brings protobuf

    for sentence in request.arrival(record, None):
        console.print(Text(sentence))
    for image in record.images:
        console.print(Text(f"Image {image.index}", style="bold"))
        for sentence in request.image(image):
            console.print(Padding(Text(sentence), _INDENT, expand=False))
        console.print(Padding(_levels(image), _INDENT, expand=False))


def _levels(image: control_pb2.ImageRecord) -> Table:
    from argus_cli.why import request  # noqa: PLC0415 - brings protobuf
    from argus_rpc.convert import seconds  # noqa: PLC0415

    table = Table("level", "predicted quality", "done in", "")
    for option in request.weighed(image):
        known = option.HasField("expected_completion")
        done = f"{seconds(option.expected_completion):.2f} s" if known else ""
        verdict = f"not taken: {option.rejected}" if option.rejected else "taken"
        table.add_row(option.level, f"{option.predicted_quality:.3f}", done, Text(verdict))
    return table


def _print_json(messages: Sequence[Message]) -> None:
    from google.protobuf.json_format import MessageToJson  # noqa: PLC0415 - slow to import

    for message in messages:
        typer.echo(MessageToJson(message, indent=None))
