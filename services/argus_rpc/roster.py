"""Where the workers are: a fixed list, names in DNS, or a file that is read again when it changes.

A name is looked up again every few seconds, and soon where a worker is lost; a name that cannot be
looked up keeps the addresses that it had, and that is said once. A file that is missing or
malformed leaves the standing list in force: whoever writes it may be half-way, and a router without
workers is worse than one with yesterday's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from argus_core.errors import InvalidRequest
from argus_rpc.fresh import stamp

log = logging.getLogger(__name__)

Roster = AsyncIterator[frozenset[str]]
"""Addresses of all workers, each time that they change."""

LookUp = Callable[[str], Awaitable[Iterable[str]]]
"""Gives the IP addresses of a host; OSError where it cannot."""

_DNS = "dns:///"
_PATIENCE = 5.0
"""Seconds that looking up a name may take."""
_LOOK_EVERY = 0.25
"""Seconds between looks at the file; a look is one stat."""


def parse_roster(text: str) -> frozenset[str]:
    """Addresses in a JSON list, or JSON lines, of `{"worker": name, "address": "host:port"}`.

    Raises:
        InvalidRequest: naming the entry that is wrong.
    """
    try:
        entries = json.loads(text) if text.lstrip().startswith("[") else _lines(text)
    except ValueError as error:
        raise InvalidRequest.one("workers", f"is neither a JSON list nor lines: {error}") from error
    return frozenset(_address(index, entry) for index, entry in enumerate(entries))


async def fixed(addresses: Sequence[str]) -> Roster:
    """The addresses given, once."""
    yield frozenset(addresses)


def found(addresses: Sequence[str]) -> Roster:
    """The addresses given; those that begin with `dns:///` are names of workers in DNS.

    Raises:
        InvalidRequest: a name has no port.
    """
    if any(address.startswith(_DNS) for address in addresses):
        return Names(addresses)
    return fixed(addresses)


class Names(AsyncIterator[frozenset[str]]):
    """Addresses of which some are names, `dns:///HOST:PORT`, that stand for all their addresses."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        look_up: LookUp | None = None,
        every: float = 3.0,
        least: float = 0.5,
    ) -> None:
        """Nothing is looked up until somebody iterates.

        Args:
            addresses: `HOST:PORT` and names.
            look_up: gives the IP addresses of a host; raises OSError. Left out: the system's.
            every: seconds between two looks.
            least: seconds between two looks where `again` asks for one.
        """
        self._plain = frozenset(a for a in addresses if not a.startswith(_DNS))
        self._known = {_host_and_port(a): frozenset[str]() for a in addresses if a.startswith(_DNS)}
        self._look_up = look_up or _system_look_up
        self._every, self._least = every, least
        self._wanted = asyncio.Event()
        self._failing: set[str] = set()
        self._told: frozenset[str] | None = None

    def again(self) -> None:
        """Look the names up soon: a worker is lost."""
        self._wanted.set()

    async def __anext__(self) -> frozenset[str]:
        """The addresses, once they are others than before."""
        while True:
            if self._told is not None:
                await self._rest()
            await asyncio.gather(*map(self._look, self._known))
            addresses = self._plain.union(*self._known.values())
            if addresses != self._told:
                self._told = addresses
                return addresses

    async def _rest(self) -> None:
        await asyncio.sleep(self._least)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._every - self._least)):
                await self._wanted.wait()
        self._wanted.clear()

    async def _look(self, name: tuple[str, str]) -> None:
        host, port = name
        try:
            async with asyncio.timeout(_PATIENCE):
                addresses = await self._look_up(host)
        except (OSError, TimeoutError) as error:
            if host not in self._failing:
                log.warning("%s cannot be looked up, its known workers stay: %s", host, error)
            self._failing.add(host)
            return
        if host in self._failing:
            log.info("%s can be looked up again", host)
            self._failing.discard(host)
        self._known[name] = frozenset(
            f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in addresses
        )


async def followed(path: Path) -> Roster:
    """The addresses in a file, now and whenever they change."""
    mark: object = None
    while True:
        if (seen := stamp(path)) != mark:
            mark = seen
            if (addresses := _read(path)) is not None:
                yield addresses
        await asyncio.sleep(_LOOK_EVERY)


async def _system_look_up(host: str) -> Iterable[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return {str(address[0]) for *_, address in found}


def _host_and_port(name: str) -> tuple[str, str]:
    host, _, port = name.removeprefix(_DNS).rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidRequest.one("worker", f"{name}: must be `{_DNS}HOST:PORT`")
    return host, port


def _read(path: Path) -> frozenset[str] | None:
    try:
        return parse_roster(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InvalidRequest) as error:
        log.warning("%s is not used, the standing workers stay: %s", path, error)
        return None


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _address(index: int, entry: Any) -> str:
    address = entry.get("address") if isinstance(entry, dict) else None
    if not isinstance(address, str) or not address:
        raise InvalidRequest.one(f"workers[{index}].address", "must be `host:port`")
    return address
