"""Malformed requests, a corpus: each is refused by the name of the field that is wrong."""

import json
import math

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from argus_core.errors import InvalidRequest
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_router.body import MAX_BYTES
from argus_rpc.channel import open_channel
from argus_rpc.errors import from_rpc
from router_support import ScriptedWorker, staged

LONG = "x" * 8193


def message(**fields) -> bytes:
    return images_pb2.GenerateRequest(**{"prompt": "a red circle", **fields}).SerializeToString()


def size(width, height):
    return cluster_pb2.Size(width=width, height=height)


GRPC = {
    "nothing": (b"", ["prompt"]),
    "empty prompt": (message(prompt=""), ["prompt"]),
    "blank prompt": (message(prompt=" \n\t "), ["prompt"]),
    "prompt too long": (message(prompt=LONG), ["prompt"]),
    "prompt too long in bytes only": (message(prompt="é" * 4097), ["prompt"]),
    "prompt of 10 MB": (message(prompt="x" * 10_000_000), ["prompt"]),
    "prompt not UTF-8": (b"\x0a\x02\xff\xfe", ["prompt"]),
    "prompt with a lone surrogate": (b"\x0a\x03\xed\xa0\x80", ["prompt"]),
    "negative prompt too long": (message(negative_prompt=LONG), ["negative_prompt"]),
    "negative prompt not UTF-8": (b"\x0a\x01x\x12\x01\xff", ["negative_prompt"]),
    "level not UTF-8": (b"\x0a\x01x\x42\x01\xff", ["level"]),
    "size of nothing": (message(size=size(0, 0)), ["size.width", "size.height"]),
    "no width": (message(size=size(0, 32)), ["size.width"]),
    "no height": (message(size=size(32, 0)), ["size.height"]),
    "too wide": (message(size=size(8193, 32)), ["size.width"]),
    "far too high": (message(size=size(32, 2**32 - 1)), ["size.height"]),
    "count too high": (message(count=11), ["count"]),
    "count absurd": (message(count=2**32 - 1), ["count"]),
    "seed overflows with count": (message(seed=2**64 - 1, count=2), ["seed"]),
    "deadline nothing": (message(deadline=Duration()), ["deadline"]),
    "deadline negative": (message(deadline=Duration(seconds=-1)), ["deadline"]),
    "deadline a hair negative": (message(deadline=Duration(nanos=-1)), ["deadline"]),
    "deadline of centuries": (message(deadline=Duration(seconds=2**60)), ["deadline"]),
    "quality over one": (message(minimum_quality=1.01), ["minimum_quality"]),
    "quality below nothing": (message(minimum_quality=-0.01), ["minimum_quality"]),
    "quality not a number": (message(minimum_quality=math.nan), ["minimum_quality"]),
    "quality infinite": (message(minimum_quality=math.inf), ["minimum_quality"]),
    "level unknown": (message(level="none-such"), ["level"]),
    "priority unknown": (message(priority=17), ["priority"]),
    "priority negative": (message(priority=-1), ["priority"]),
    "format unknown": (message(format=99), ["format"]),
    "several at once": (
        message(prompt="", count=11, size=size(0, 1), minimum_quality=2, level="no", format=9),
        ["prompt", "size.width", "count", "minimum_quality", "format", "level"],
    ),
    "no message at all": (b"\xff\xff\xff\xff", ["request"]),
    "cut short": (message()[:-3], ["request"]),
    "prompt of the wrong wire type": (b"\x08\x05", ["prompt"]),
}


def body(**fields) -> bytes:
    return json.dumps({"prompt": "a red circle", **fields}).encode()


HTTP = {
    "nothing": (b"", "body"),
    "no JSON": (b"prompt=x", "body"),
    "cut short": (b'{"prompt": "x"', "body"),
    "a list": (b"[]", "body"),
    "a string": (b'"prompt"', "body"),
    "null": (b"null", "body"),
    "nested without end": (b"[" * 50_000, "body"),
    "a number without end": (b'{"prompt": "x", "n": ' + b"9" * 10_000 + b"}", "body"),
    "too large": (body(prompt="x" * MAX_BYTES), "body"),
    "UTF-16": (body().decode().encode("utf-16"), "body"),
    "no prompt": (b"{}", "prompt"),
    "prompt null": (body(prompt=None), "prompt"),
    "prompt empty": (body(prompt=""), "prompt"),
    "prompt blank": (body(prompt="  "), "prompt"),
    "prompt a number": (body(prompt=3), "prompt"),
    "prompt a list": (body(prompt=["x"]), "prompt"),
    "prompt an object": (body(prompt={}), "prompt"),
    "prompt true": (body(prompt=True), "prompt"),
    "prompt NaN": (b'{"prompt": NaN}', "prompt"),
    "prompt too long": (body(prompt=LONG), "prompt"),
    "prompt not UTF-8": (b'{"prompt": "\xff\xfe"}', "prompt"),
    "prompt a lone surrogate": (b'{"prompt": "\\ud800"}', "prompt"),
    "model unknown": (body(model="gpt-image-2"), "model"),
    "model empty": (body(model=""), "model"),
    "model a number": (body(model=1), "model"),
    "model not UTF-8": (b'{"prompt": "x", "model": "\xff"}', "model"),
    "n zero": (body(n=0), "n"),
    "n negative": (body(n=-1), "n"),
    "n too high": (body(n=11), "n"),
    "n a fraction": (body(n=1.5), "n"),
    "n a string": (body(n="1"), "n"),
    "n true": (body(n=True), "n"),
    "n NaN": (b'{"prompt": "x", "n": NaN}', "n"),
    "n infinite": (b'{"prompt": "x", "n": 1e999}', "n"),
    "size one number": (body(size="32"), "size"),
    "size of words": (body(size="big"), "size"),
    "size zero": (body(size="0x32"), "size"),
    "size negative": (body(size="-32x32"), "size"),
    "size too large": (body(size="9000x32"), "size"),
    "size a number": (body(size=32), "size"),
    "size of other digits": (body(size="٣٢x32"), "size"),
    "response format unknown": (body(response_format="ftp"), "response_format"),
    "response format a number": (body(response_format=1), "response_format"),
    "output format unknown": (body(output_format="gif"), "output_format"),
    "output format a list": (body(output_format=["png"]), "output_format"),
    "compression": (body(output_compression=50), "output_compression"),
    "transparent": (body(background="transparent"), "background"),
    "quality unknown": (body(quality="best"), "quality"),
    "moderation unknown": (body(moderation="none"), "moderation"),
    "style": (body(style="vivid"), "style"),
    "stream zero": (body(stream=0), "stream"),
    "stream a string": (body(stream="true"), "stream"),
    "partial images too many": (body(stream=True, partial_images=4), "partial_images"),
    "partial images negative": (body(stream=True, partial_images=-1), "partial_images"),
    "streamed without a prompt": (b'{"stream": true}', "prompt"),
    "streamed with an unknown level": (body(stream=True, model="none-such"), "model"),
    "argus a string": (body(argus="x"), "argus"),
    "argus a list": (body(argus=[]), "argus"),
    "argus unknown": (body(argus={"promt": 1}), "argus.promt"),
    "deadline zero": (body(argus={"deadline_seconds": 0}), "argus.deadline_seconds"),
    "deadline negative": (body(argus={"deadline_seconds": -1}), "argus.deadline_seconds"),
    "deadline NaN": (
        b'{"prompt": "x", "argus": {"deadline_seconds": NaN}}',
        "argus.deadline_seconds",
    ),
    "deadline a string": (body(argus={"deadline_seconds": "1"}), "argus.deadline_seconds"),
    "deadline of centuries": (body(argus={"deadline_seconds": 1e300}), "argus.deadline_seconds"),
    "quality over one": (body(argus={"minimum_quality": 1.01}), "argus.minimum_quality"),
    "quality true": (body(argus={"minimum_quality": True}), "argus.minimum_quality"),
    "own level unknown": (body(argus={"level": "none-such"}), "argus.level"),
    "own level goes first": (body(model="quick", argus={"level": "none-such"}), "argus.level"),
    "priority unknown": (body(argus={"priority": "urgent"}), "argus.priority"),
    "seed a fraction": (body(argus={"seed": 0.5}), "argus.seed"),
    "seed negative": (body(argus={"seed": -1}), "argus.seed"),
    "seed too high": (body(argus={"seed": 2**64}), "argus.seed"),
    "explain a number": (body(argus={"explain": 1}), "argus.explain"),
    "negative prompt too long": (body(argus={"negative_prompt": LONG}), "argus.negative_prompt"),
    "negative prompt too long in bytes only": (
        body(argus={"negative_prompt": "é" * 4097}),
        "argus.negative_prompt",
    ),
    "user a number": (body(user=1), "user"),
    "field unknown": (body(promt="x"), "promt"),
    "field not UTF-8": (b'{"prompt": "x", "\xff": 1}', "?"),
}


@pytest.fixture(scope="module")
def corpus_size():
    return len(GRPC) + len(HTTP)


def test_corpus_holds_at_least_fifty(corpus_size):
    assert corpus_size >= 50


@pytest.mark.parametrize("case", GRPC)
async def test_grpc_refuses_it_and_names_the_field(case):
    data, fields = GRPC[case]
    async with staged() as stage, open_channel(stage.grpc) as channel:
        generate = channel.unary_stream("/argus.v1.ImageService/Generate")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in generate(data, timeout=10):
                pass
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    error = from_rpc(caught.value)
    assert isinstance(error, InvalidRequest)
    assert [violation.field for violation in error.violations] == fields


@pytest.mark.parametrize("case", HTTP)
async def test_http_refuses_it_and_names_the_field(case):
    data, field = HTTP[case]
    async with (
        staged() as stage,
        stage.session.post("/v1/images/generations", data=data) as answer,
    ):
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["param"] == field
    assert error["type"] == "invalid_request_error"
    assert field in error["message"]


async def test_router_serves_on_after_all_of_it():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with staged(worker) as stage, open_channel(stage.grpc) as channel:
        generate = channel.unary_stream("/argus.v1.ImageService/Generate")
        for data, _ in GRPC.values():
            with pytest.raises(grpc.aio.AioRpcError):
                async for _ in generate(data, timeout=10):
                    pass
        for data, _ in HTTP.values():
            async with stage.session.post("/v1/images/generations", data=data) as answer:
                assert answer.status == 400
        events = [event async for event in stage.draw()]
        assert events[-1].HasField("result")
        assert stage.waiting == 0
        assert len(worker.calls) == 1
