"""Models, orders and workers for the tests of the worker."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from argus_core.spec import Variant
from argus_protos.v1 import cluster_pb2, worker_pb2, worker_pb2_grpc
from argus_rpc.channel import open_channel
from argus_worker.check import to_order
from argus_worker.device import Device
from argus_worker.families import find_family
from argus_worker.families.shapes import ShapesFamily
from argus_worker.host import Host, Settings
from argus_worker.masters import Held, Masters

torch.set_num_threads(1)

TINY = Variant(name="tiny", model="builtin:shapes-tiny", family="shapes")
CAPTION = "a large red circle"
PATIENCE = 90.0
"""Seconds for what takes a few when the machine has nothing else to do."""
BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def hold(variant: Variant, *, find=find_family) -> Held:
    """A variant in host memory, with no worker around it."""
    masters = Masters(
        {variant.name: variant}, device=torch.device("cpu"), limit_bytes=0, families=find
    )
    held, _ = masters.fetch(variant.name)
    return held


def ask(
    *, variant="tiny", prompt=CAPTION, steps=4, guidance=2.0, seed=1, skipped=0, cache="", **fields
) -> worker_pb2.ExecuteRequest:
    """A request."""
    schedule = cluster_pb2.Schedule(
        steps=steps, guidance_scale=guidance, skipped_steps=skipped, step_cache=cache
    )
    return worker_pb2.ExecuteRequest(
        variant=variant, prompt=prompt, schedule=schedule, seed=seed, **fields
    )


def order(held: Held, **fields):
    """An order, checked as the service checks it."""
    return to_order(ask(variant=held.variant, **fields), held)


@asynccontextmanager
async def running(*variants: Variant, loadout=(), find=find_family, gpu=None, **settings):
    """A whole worker on loopback: its host and a stub to call it with."""
    host = Host(
        Settings(name="w0", pool="cpu", variants=variants, loadout=loadout, **settings),
        families=find,
        device=Device("cpu", find=lambda _device: gpu),
    )
    port = await host.start()
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            yield host, worker_pb2_grpc.WorkerServiceStub(channel), channel
    finally:
        await host.stop(5.0)


async def phase(stub, wanted: str, patience: float = PATIENCE) -> cluster_pb2.WorkerState:
    """The first state in this phase, such as `READY`, that Watch tells."""
    call = stub.Watch(worker_pb2.WatchRequest(), timeout=patience)
    async for response in call:
        if response.state.phase == getattr(cluster_pb2, f"WORKER_PHASE_{wanted}"):
            call.cancel()
            return response.state
    raise AssertionError(f"the worker never was {wanted}")


async def now(stub) -> cluster_pb2.WorkerState:
    """The worker's state."""
    call = stub.Watch(worker_pb2.WatchRequest(), timeout=PATIENCE)
    state = (await call.read()).state
    call.cancel()
    return state


async def begun(stream):
    """A stream that has told its first."""
    await anext(aiter(stream))
    return stream


async def collect(stream: AsyncIterator) -> list[worker_pb2.ExecuteResponse]:
    """All of a stream."""
    return [response async for response in stream]


def clip_config() -> CLIPTextConfig:
    """Of a text encoder of CLIP's class with a few thousand weights."""
    return CLIPTextConfig(
        vocab_size=514,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=16,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )


def build_sdxl(scheduler) -> StableDiffusionXLPipeline:
    """A pipeline of SDXL's classes, a few thousand random weights each."""
    torch.manual_seed(0)
    text = clip_config()
    pipeline = StableDiffusionXLPipeline(
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        text_encoder=CLIPTextModel(text).eval(),
        text_encoder_2=CLIPTextModelWithProjection(text).eval(),
        unet=_unet().eval(),
        vae=_vae().eval(),
        scheduler=scheduler,
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 16,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=32,
    )


def _tokenizer() -> CLIPTokenizer:
    symbols = [_byte(value) for value in range(256)]
    marks = ["<|startoftext|>", "<|endoftext|>"]
    words = [*symbols, *(symbol + "</w>" for symbol in symbols), *marks]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _byte(value: int) -> str:
    """How byte-level tokenizers write a byte: printable ones as they are, others beyond 255."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if value in shown:
        return chr(value)
    return chr(256 + [other for other in range(256) if other not in shown].index(value))


def save_sdxl(folder: Path, scheduler) -> Path:
    """Such a pipeline on disk."""
    build_sdxl(scheduler).save_pretrained(folder)
    return folder


class Gate:
    """Lets forwards pass one by one, so that a test decides where a request stands."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._allowed = 0.0
        self.passed = 0
        self.waiting = False
        self.rows: list[int] = []
        """Rows of each forward that came."""

    def let(self, count: float) -> None:
        """Let so many more forwards pass."""
        with self._changed:
            self._allowed += count
            self._changed.notify_all()

    def open(self) -> None:
        """Let all pass from now on."""
        self.let(float("inf"))

    def enter(self, rows: int) -> None:
        """Wait for leave; called by the engine's thread."""
        with self._changed:
            self.rows.append(rows)
            self.waiting = self._allowed < 1
            if not self._changed.wait_for(lambda: self._allowed >= 1, timeout=PATIENCE):
                raise TimeoutError("the test never let this forward pass")
            self.waiting = False
            self._allowed -= 1
            self.passed += 1


def gated(family=ShapesFamily):
    """A way to find families whose forwards wait at a gate, and the gate."""
    gate = Gate()

    class Gated(family):
        def predict(self, latents, timesteps, rows):
            gate.enter(len(latents))
            return super().predict(latents, timesteps, rows)

    return lambda _name: Gated, gate
