"""`argus key`: API keys."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from argus_core.errors import InvalidRequest
from argus_rpc import keys

app = typer.Typer(help="Make API keys of tenants and control services.", no_args_is_help=True)


@app.command()
def new(
    tenant: Annotated[str, typer.Option(help="Whose requests it is for.")] = "",
    control: Annotated[
        bool, typer.Option("--control", help="For the control service, and nothing else.")
    ] = False,
) -> None:
    """Make a key: shown once, on standard error; its line for the file of keys on standard output.

    The line tells nothing of the key: `argus key new --tenant shop >> keys` keeps it.
    """
    if bool(tenant) == control:
        raise InvalidRequest.one("--tenant", "name a tenant, or say --control")
    key = keys.new_key()
    line = keys.line(keys.CONTROL if control else tenant, key)
    try:
        keys.parse_keys(line)
    except InvalidRequest as error:
        problem = "must be 1 to 63 of a-z, 0-9, '.' and '-', ends alphanumeric"
        raise InvalidRequest.one("--tenant", problem) from error
    Console(stderr=True).print(f"key, shown this once: {key}", highlight=False, soft_wrap=True)
    typer.echo(line)
