"""Requests of those who mean no good, or know no better; each says what came of it.

An attack returns what it met with, such as a status, and raises `Broken` where that is not what a
service may answer: an internal error, or an error without its shape.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc

from argus_cli.load.checking import CANONICAL, UNEXPLAINED
from argus_protos.v1 import images_pb2

GENERATE = "/argus.v1.ImageService/Generate"
PATH = "/v1/images/generations"
WAIT = 30.0
"""Seconds that any answer may take."""
_WORDS = ("a red circle", "\N{ARTIST PALETTE}" * 40, "\u202eright to left", "\x00\x07\x1b[2J", " ",
          "x" * 9000, "{{7*7}}", "'; drop table images; --", "\ufffd\ud7ff")  # fmt: skip
_NUMBERS: tuple[object, ...] = (
    0,
    -1,
    1,
    2**31 - 1,
    -(2**31),
    1e308,
    -1e-308,
    10**30,
    0.5,
    True,
    None,
    "7",
    [],
    {},
)
_NAMES = ("model", "prompt", "n", "size", "quality", "response_format", "output_format", "stream",
          "partial_images", "user", "background", "argus", "", "deadline")  # fmt: skip


class Broken(Exception):
    """An answer that no request may get."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A router under attack."""

    channel: grpc.aio.Channel
    session: aiohttp.ClientSession
    host: str
    """Of both fronts."""
    grpc_port: int
    http_port: int

    @property
    def url(self) -> str:
        """Of the images API."""
        return f"http://{self.host}:{self.http_port}{PATH}"


Attack = Callable[[random.Random, Target], Awaitable[str]]


async def any_bytes(rng: random.Random, target: Target) -> str:
    """What is no message of protobuf's at all, or by chance is one."""
    return await _grpc(target, rng.randbytes(rng.randint(0, 200)))


async def spoilt_message(rng: random.Random, target: Target) -> str:
    """A good message of which some bytes are others."""
    data = bytearray(images_pb2.GenerateRequest(prompt=rng.choice(_WORDS[:2]), count=2,
                                                level="large-16").SerializeToString())  # fmt: skip
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return await _grpc(target, bytes(data[: rng.randint(1, len(data))]))


async def absurd_message(rng: random.Random, target: Target) -> str:
    """A message whose fields hold what nobody would ask for."""
    request = images_pb2.GenerateRequest(
        prompt=rng.choice(_WORDS[:-1]), count=rng.choice((0, 7, 2**31))
    )
    request.size.width, request.size.height = (
        rng.choice((0, 48, 2**31)),
        rng.choice((0, 48, 2**32 - 1)),
    )
    request.minimum_quality = rng.choice((float("nan"), -1.0, 2.0, float("inf"), 0.5))
    request.deadline.seconds = rng.choice((0, -5, 2**40, 10))
    request.seed = rng.choice((0, 2**64 - 1))
    request.priority = rng.choice((0, 1, 77))  # type: ignore[assignment]
    return await _grpc(target, request.SerializeToString())


async def huge_metadata(rng: random.Random, target: Target) -> str:
    """More headers than a server should take."""
    told = [(f"x-{n}", "y" * 4000) for n in range(rng.randint(1, 12))]
    request = images_pb2.GenerateRequest(prompt="a red circle", count=1)
    return await _grpc(target, request.SerializeToString(), metadata=told)


async def millisecond(rng: random.Random, target: Target) -> str:
    """A request that nobody could answer in time."""
    request = images_pb2.GenerateRequest(prompt="a red circle", count=1)
    return await _grpc(target, request.SerializeToString(), timeout=rng.choice((0.001, 0.002)))


async def cancelled(rng: random.Random, target: Target) -> str:
    """A request whose client goes away at some moment."""
    request = images_pb2.GenerateRequest(prompt="a red circle", count=rng.randint(1, 4))
    call = _call(target, request.SerializeToString(), timeout=WAIT)
    asyncio.get_running_loop().call_later(rng.uniform(0, 0.03), call.cancel)
    with suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
        async for _ in call:
            pass
    code: str = (await call.code()).name
    return code


async def fuzzed_json(rng: random.Random, target: Target) -> str:
    """JSON of any fields and of any types."""
    body = {rng.choice(_NAMES): _anything(rng, 0) for _ in range(rng.randint(0, 8))}
    if rng.random() < 0.7:
        body["prompt"] = rng.choice(_WORDS)
    return await _http(target, json.dumps(body).encode())


async def no_json(rng: random.Random, target: Target) -> str:
    """A body that is no JSON, or that nests too deep, or has too much of it."""
    bodies: tuple[bytes, ...] = (b"", b"{", b"[" * 20_000, b"\xff\xfe", b'{"prompt": NaN}', b"null",
                                 b'{"prompt": "\\ud800"}', b'{"prompt": "x"}' * 2, bytes(200_000),
                                 b'{"n": ' + b"9" * 5000 + b"}")  # fmt: skip
    kind = rng.choice(("application/json", "text/plain", "multipart/form-data", "\xfc"))
    return await _http(target, rng.choice(bodies), {"Content-Type": kind})


async def huge_headers(rng: random.Random, target: Target) -> str:
    """One header, or many, of more bytes than a server should take."""
    headers = {f"X-{n}": "y" * rng.choice((10, 9000)) for n in range(rng.randint(1, 30))}
    return await _http(target, b'{"prompt": "a red circle"}', headers)


async def half_closed(rng: random.Random, target: Target) -> str:
    """A request whose sender says that it is done before it is."""
    whole = _head(100) + b'{"prompt": "a red circle"}'
    return await _raw(target.host, target.http_port, whole[: rng.randint(1, len(whole))], eof=True)


async def dropped(rng: random.Random, target: Target) -> str:
    """A request over a connection that is gone a moment later."""
    body = json.dumps({"prompt": "a red circle", "stream": rng.random() < 0.5}).encode()
    _, writer = await asyncio.open_connection(target.host, target.http_port)
    writer.write(_head(len(body)) + body)
    await asyncio.sleep(rng.uniform(0, 0.02))
    writer.transport.abort()
    return "aborted"


async def slowly(rng: random.Random, target: Target) -> str:
    """A request that comes byte by byte, and never to its end; its sender gives up first."""
    port = rng.choice((target.http_port, target.grpc_port))
    _, writer = await asyncio.open_connection(target.host, port)
    for byte in _head(10)[: rng.randint(1, 12)]:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)
    writer.close()
    return "given up"


async def no_protocol(rng: random.Random, target: Target) -> str:
    """Bytes that are neither HTTP's nor gRPC's."""
    port = rng.choice((target.http_port, target.grpc_port))
    chunked = f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    starts = (b"", preface, b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01", chunked)
    return await _raw(target.host, port, rng.choice(starts) + rng.randbytes(60), eof=True)


ATTACKS: Mapping[str, Attack] = {
    attack.__name__: attack
    for attack in (
        any_bytes, spoilt_message, absurd_message, huge_metadata, millisecond, cancelled,
        fuzzed_json, no_json, huge_headers, half_closed, dropped, slowly, no_protocol,
    )
}  # fmt: skip
"""All of them, by name."""


async def honest(target: Target) -> None:
    """A request like any other, by both fronts.

    Raises:
        Broken: it was not answered.
    """
    request = images_pb2.GenerateRequest(prompt="a red circle", count=1)
    codes = (await _grpc(target, request.SerializeToString()),
             await _http(target, b'{"prompt": "a red circle"}'))  # fmt: skip
    if codes != ("OK", "200"):
        raise Broken(f"an honest request met with {codes}")


async def _grpc(target: Target, data: bytes, *, timeout: float = WAIT, metadata: Any = None) -> str:
    """Send bytes as a request; the code that came back."""
    call = _call(target, data, timeout=timeout, metadata=metadata)
    with suppress(grpc.aio.AioRpcError):
        async for _ in call:
            pass
    code: str = (await call.code()).name
    if code not in CANONICAL or code in UNEXPLAINED:
        raise Broken(f"{code}: {await call.details()}")
    return code


def _call(target: Target, data: bytes, *, timeout: float, metadata: Any = None) -> Any:
    generate: Any = target.channel.unary_stream(GENERATE)
    return generate(data, timeout=timeout, metadata=metadata)


async def _http(target: Target, body: bytes, headers: Mapping[str, str] | None = None) -> str:
    """Post a body; the status that came back."""
    told = {"Content-Type": "application/json", **(headers or {})}
    try:
        async with target.session.post(target.url, data=body, headers=told) as answer:
            text, status = await answer.read(), answer.status
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        return "disconnected"
    if status >= 500 and status not in {503, 504}:
        raise Broken(f"{status}: {text[:200]!r}")
    if status >= 400 and answer.content_type == "application/json":
        error = json.loads(text)["error"]
        if not {"message", "type", "code", "param"} <= set(error):
            raise Broken(f"an error without its shape: {text[:200]!r}")
    return str(status)


async def _raw(host: str, port: int, data: bytes, *, eof: bool) -> str:
    """Write bytes; the first line of what came back."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        if eof:
            writer.write_eof()
        async with asyncio.timeout(WAIT):
            answer = await reader.read(4096)
            while await reader.read(4096):
                pass
    except ConnectionError:
        return "disconnected"
    finally:
        writer.close()
    words = answer.split(b" ", 2)
    if words[0].startswith(b"HTTP/1") and words[1] >= b"500":
        raise Broken(answer[:200].decode("latin-1"))
    return words[1].decode() if words[0].startswith(b"HTTP/1") else "closed"


def _head(length: int) -> bytes:
    return (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()  # fmt: skip


def _anything(rng: random.Random, depth: int) -> object:
    if depth < 3 and rng.random() < 0.2:
        return [_anything(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if depth < 3 and rng.random() < 0.2:
        return {rng.choice(_NAMES): _anything(rng, depth + 1) for _ in range(rng.randint(0, 3))}
    return rng.choice((*_WORDS, *_NUMBERS))
