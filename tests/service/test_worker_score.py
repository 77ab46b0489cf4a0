"""Score over real gRPC: images judged in a worker's spare time, and in no other."""

import io
import random

import grpc
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from argus_core.errors import InvalidRequest, NotFound, Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.errors import from_rpc
from argus_shapes.captions import parse
from argus_shapes.painter import arrange, paint
from engine_support import CAPTION, ask, begun, collect, gated, phase, running
from engine_support import TINY as VARIANT

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub():
    async with running(VARIANT, loadout=["tiny"], slots=2) as (_, stub, _channel):
        await phase(stub, "READY")
        yield stub


def encoded(picture, name="PNG"):
    file = io.BytesIO()
    picture.save(file, name)
    return cluster_pb2.Image(data=file.getvalue())


def painted(caption):
    """The picture that a caption asks for, as the painter paints it."""
    pixels = paint([arrange(random.Random(1), parse(caption))])[0]
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))


def request(*images, metric="shapes", prompt=CAPTION, **fields):
    return worker_pb2.ScoreRequest(metric=metric, prompt=prompt, images=images, **fields)


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc(error.value)


async def test_a_picture_as_asked_scores_one_and_another_none(stub):
    right, wrong = painted(CAPTION), painted("two small blue squares")
    response = await stub.Score(request(encoded(right), encoded(wrong), encoded(right, "WEBP")))
    assert list(response.scores)[:2] == [1.0, 0.0]
    assert len(response.scores) == 3
    assert response.comparison == worker_pb2.COMPARISON_DIFFERENCE


async def test_what_the_worker_drew_can_be_scored_as_soon_as_it_is_there(stub):
    drawn = [
        (await collect(stub.Execute(ask(steps=16, seed=seed))))[-1].result.image
        for seed in range(4)
    ]
    response = await stub.Score(request(*drawn))
    assert set(response.scores) <= {0.0, 1.0}
    # Most such pictures of the small model are as asked.
    assert sum(response.scores) >= 2


async def test_without_images_the_metric_is_described(stub):
    response = await stub.Score(request())
    assert not response.scores
    assert response.comparison == worker_pb2.COMPARISON_DIFFERENCE
    assert (response.scale, response.needs_reference) == (1.0, False)


async def test_an_unknown_metric_is_not_found_and_the_known_are_named(stub):
    error = await refusal(stub.Score(request(metric="beauty")))
    assert isinstance(error, NotFound)
    assert "beauty" in str(error)
    assert "shapes" in str(error)


async def test_a_worker_that_draws_refuses_and_says_when_to_come_again():
    find, gate = gated()
    async with running(VARIANT, loadout=["tiny"], slots=2, find=find) as (_, stub, _channel):
        await phase(stub, "READY")
        drawing = await begun(stub.Execute(ask(steps=3)))
        error = await refusal(stub.Score(request(encoded(painted(CAPTION)))))
        assert isinstance(error, Unavailable)
        assert error.retry_after > 0
        gate.open()
        await collect(drawing)
        assert (await stub.Score(request(encoded(painted(CAPTION))))).scores == [1.0]


async def test_a_worker_without_loadout_refuses():
    async with running(VARIANT) as (_, stub, _channel):
        error = await refusal(stub.Score(request()))
        assert isinstance(error, Unavailable)


BAD = {
    "metric": request(metric=""),
    "prompt": request(encoded(painted(CAPTION)), prompt="a cat on a chair"),
    "images": request(*[encoded(painted(CAPTION))] * 17),
    "images[1]": request(encoded(painted(CAPTION)), cluster_pb2.Image(data=b"no picture")),
    "images[0]": request(cluster_pb2.Image(data=encoded(painted(CAPTION)).data[:-300])),
    "references": request(encoded(painted(CAPTION)), references=[encoded(painted(CAPTION))]),
}


@pytest.mark.parametrize("field", BAD)
async def test_what_is_wrong_is_refused_by_name(stub, field):
    error = await refusal(stub.Score(BAD[field]))
    assert isinstance(error, InvalidRequest)
    assert [violation.field for violation in error.violations] == [field]


async def test_an_image_of_too_many_pixels_is_refused_before_it_is_opened(stub):
    # A megabyte that would be 200 MB.
    bomb = encoded(Image.new("1", (8193, 8192)))
    error = await refusal(stub.Score(request(bomb)))
    assert [violation.field for violation in error.violations] == ["images[0]"]
    assert "pixels" in str(error)
