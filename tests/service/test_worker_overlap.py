"""Decoding beside the steps of others: in order, the same pictures, nothing lost at a switch."""

import asyncio
import io
import threading

import pytest
from PIL import Image

from argus_protos.v1 import worker_pb2
from argus_worker.families.shapes import ShapesFamily
from engine_support import PATIENCE, TINY, ask, begun, collect, now, phase, running
from helpers import eventually


class Slow(ShapesFamily):
    """Its decodings wait until the test lets them go on; its deeds are told in order."""

    events: list
    go_on: threading.Event
    fails = False

    def predict(self, latents, timesteps, rows):
        self.events.append("step")
        return super().predict(latents, timesteps, rows)

    def decode(self, latent):
        self.events.append("decode")
        assert self.go_on.wait(PATIENCE)
        if self.fails:
            raise RuntimeError("no picture")
        self.events.append("decoded")
        return super().decode(latent)


@pytest.fixture
def slow():
    class Own(Slow):
        events, go_on = [], threading.Event()

    yield Own
    Own.go_on.set()


def steps_of(responses):
    return [r.progress.step for r in responses if r.HasField("progress")]


async def last_step(stream, steps=4):
    async for response in stream:
        if response.WhichOneof("event") == "progress" and response.progress.step == steps:
            return
    raise AssertionError("the stream ended before its last step")


async def test_the_next_image_is_denoised_while_one_is_decoded(slow):
    async with running(TINY, loadout=["tiny"], find=lambda _n: slow) as (host, stub, _):
        await phase(stub, "READY")
        first = stub.Execute(ask(seed=1))
        await last_step(first)
        # The news comes after the slot is free, so this is never refused.
        assert (await now(stub)).in_flight == 0
        second = stub.Execute(ask(seed=2))
        await last_step(second)
        assert slow.events.count("step") == 8
        assert "decoded" not in slow.events
        slow.go_on.set()
        pictures = [(await collect(each))[-1].result for each in (first, second)]
        assert slow.events[-3:] == ["decoded", "decode", "decoded"], "one at a time, in order"
        alone = [(await collect(stub.Execute(ask(seed=s))))[-1].result for s in (1, 2)]
        for picture, other in zip(pictures, alone, strict=True):
            assert picture.image.data == other.image.data


async def test_no_loadout_is_loaded_until_all_is_decoded(slow):
    other = TINY.model_copy(update={"name": "other"})
    async with running(TINY, other, loadout=["tiny"], find=lambda _n: slow) as (host, stub, _):
        await phase(stub, "READY")
        stream = stub.Execute(ask())
        await last_step(stream)
        await stub.Assign(worker_pb2.AssignRequest(loadout=["other"]))
        await eventually(lambda: host.worker.phase == "draining")
        slow.go_on.set()
        assert (await collect(stream))[-1].HasField("result")
        state = await phase(stub, "READY")
        assert list(state.loadout) == ["other"]


async def test_pictures_that_wait_to_be_decoded_are_bounded(slow):
    """The engine waits for room: one is decoded, as many wait as there are slots."""
    async with running(TINY, loadout=["tiny"], find=lambda _n: slow) as (_, stub, _c):
        await phase(stub, "READY")
        streams = []
        for seed in range(2):
            streams.append(stub.Execute(ask(seed=seed)))
            await last_step(streams[-1])
        streams.append(await begun(stub.Execute(ask(seed=3))))
        await eventually(lambda: slow.events.count("step") == 12)
        assert (await now(stub)).in_flight == 1, "its slot is kept until there is room"
        slow.go_on.set()
        for stream in streams:
            assert (await collect(stream))[-1].HasField("result")
        await eventually(lambda: slow.events.count("decoded") == 3)


async def test_a_decoding_that_fails_fails_its_image_alone(slow):
    slow.fails = True
    slow.go_on.set()
    async with running(TINY, loadout=["tiny"], find=lambda _n: slow) as (host, stub, _):
        await phase(stub, "READY")
        with pytest.raises(Exception, match="internal"):
            await collect(stub.Execute(ask()))
        slow.fails = False
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")
        assert host.worker._unended == 0


async def test_who_goes_away_meanwhile_is_not_decoded_for(slow):
    async with running(TINY, loadout=["tiny"], find=lambda _n: slow) as (host, stub, _):
        await phase(stub, "READY")
        first, second = stub.Execute(ask(seed=1)), None
        await last_step(first)
        second = stub.Execute(ask(seed=2))
        await last_step(second)
        second.cancel()
        waiting = host.engine._decoder._waiting.queue
        await eventually(lambda: any(one.job.cancelled for one in tuple(waiting)))
        slow.go_on.set()
        assert (await collect(first))[-1].HasField("result")
        await eventually(lambda: host.worker._unended == 0)
        assert slow.events.count("decode") == 1


async def test_what_is_decoded_is_sent_before_a_worker_ends(slow):
    async with running(TINY, loadout=["tiny"], find=lambda _n: slow) as (host, stub, _):
        await phase(stub, "READY")
        stream = stub.Execute(ask())
        await last_step(stream)
        ending = asyncio.ensure_future(host.stop(PATIENCE))
        await eventually(lambda: host.worker.phase == "stopping")
        slow.go_on.set()
        assert (await collect(stream))[-1].HasField("result")
        await ending


def pixels(responses):
    return Image.open(io.BytesIO(responses[-1].result.image.data)).tobytes()


async def test_a_seed_draws_the_same_whatever_else_is_in_flight():
    """To the bit alone; in company within what kernels differ by, a value of 255."""
    other = TINY.model_copy(update={"name": "other", "dtype": "bfloat16"})
    spare = TINY.model_copy(update={"name": "spare", "quantization": "int8"})
    async with running(TINY, other, spare, loadout=["tiny", "other"], slots=8) as (_, stub, _c):
        await phase(stub, "READY")
        mine = {"seed": 7, "steps": 6, "guidance": 3.0}
        alone = pixels(await collect(stub.Execute(ask(**mine))))
        gone = stub.Execute(ask(seed=1, steps=50))
        await begun(gone)
        company = [
            stub.Execute(ask(**mine)),
            stub.Execute(ask(seed=8, steps=9, guidance=1.0, preview_every_steps=2)),
            stub.Execute(ask(seed=9, steps=6, guidance=3.0, prompt="a small blue square")),
            stub.Execute(ask(seed=7, steps=6, variant="other")),
            stub.Execute(ask(seed=10, steps=7, capture_steps=[2, 4])),
            stub.Execute(ask(**mine)),
        ]
        await stub.Assign(worker_pb2.AssignRequest(prefetch=["spare"]))
        gone.cancel()
        drawn = await asyncio.gather(*map(collect, company))
        for same in drawn[0], drawn[-1]:
            far = max(abs(a - b) for a, b in zip(alone, pixels(same), strict=True))
            assert far <= 1
        assert pixels(drawn[2]) != alone
        assert pixels(await collect(stub.Execute(ask(**mine)))) == alone
