"""What families over a diffusers pipeline share: loading, counting tokens, guiding, decoding.

A pipeline object holds the components and encodes prompts; its `__call__` is never used. Latents
stand as planes `[rows, channels, height, width]` everywhere outside `predict`: a packed latent
would not tell 512 x 1024 from 1024 x 512, and the engine lets equal shapes share a forward.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from PIL.Image import Image

from argus_worker import components, loras, quantizing
from argus_worker.errors import BadModel
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Limits
from argus_worker.loras import LoraFile
from argus_worker.step_caches import Lender


class Usual:
    """What most families do alike, however they are loaded."""

    scheduler: Any
    kernels: Callable[[], AbstractContextManager[Any]] = nullcontext

    def guide(
        self, unconditional: torch.Tensor, conditional: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Classifier-free guidance."""
        return unconditional + scale * (conditional - unconditional)

    def with_loras(self, files: Sequence[LoraFile]) -> Self:  # noqa: ARG002
        """None: nobody makes LoRAs for it.

        Raises:
            BadModel: always.
        """
        raise BadModel("the family takes no LoRAs")

    def lender(self) -> Lender | None:
        """None: the denoiser has no hooks."""
        return None

    def using(self, net: Any) -> AbstractContextManager[None]:  # noqa: ARG002
        """There is one denoiser."""
        return nullcontext()

    def noise_scale(self, scheduler: Any) -> float | torch.Tensor:
        """What unit noise is multiplied by; read after `set_timesteps`."""
        scale: float | torch.Tensor = getattr(scheduler, "init_noise_sigma", 1.0)
        return scale

    def set_timesteps(self, scheduler: Any, steps: int, *, width: int, height: int) -> None:  # noqa: ARG002
        """The scheduler's own spacing."""
        scheduler.set_timesteps(steps)


class PipelineFamily(Usual):
    """Drives the components of a diffusers pipeline; a family fills in what is its own."""

    PIPELINE: ClassVar[Any]
    """Class of the pipeline."""
    TOKENIZERS: ClassVar[Mapping[str, Any]]
    """Classes by component; the folder's own word for them is not heeded."""
    MODULES: ClassVar[Mapping[str, Any]]
    """Classes of components with weights."""
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    """Components that a folder may leave out."""
    DENOISER: ClassVar[str] = "transformer"
    """Component whose forward is a step."""
    COUNTED: tuple[str, ...] = ("tokenizer",)
    """Tokenizers whose bound a prompt must keep."""
    MAX_TOKENS: int = 77
    """Tokens of a prompt, marks included."""
    WIDE: ClassVar[bool] = False
    """Whether latents are float32 whatever the weights are."""
    PATCH: ClassVar[int] = 2
    """Latent pixels a side that the denoiser takes as one."""
    PACKED: ClassVar[bool] = False
    """Whether the denoiser's channels are those of squares of 2 by 2 latent pixels, see `pack`."""
    TILED_PIXELS: ClassVar[int] = 1536 * 1024
    """Of a picture, beyond which it is decoded in tiles."""
    NATIVE: ClassVar[int] = 1024
    """Pixels a side where a request names no size and the config tells none."""
    FACTS: ClassVar[Facts]

    def __init__(self, pipeline: Any) -> None:
        self._pipeline, self._net, self._vae = (
            pipeline,
            getattr(pipeline, self.DENOISER),
            pipeline.vae,
        )
        self.denoiser = self._net
        self._lender = Lender(self._net) if self.FACTS.step_caches else None
        # A tokenizer's padding is set call by call: the event loop counts with its own.
        self._counters = copy.deepcopy([getattr(pipeline, name) for name in self.COUNTED])
        parts = {name: getattr(pipeline, name) for name in self.MODULES}
        self.modules = {name: part for name, part in parts.items() if part is not None}
        self.scheduler = pipeline.scheduler
        self.dtype = torch.float32 if self.WIDE else self._net.dtype
        self.limits = self._limits()

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype) -> Self:
        """Read a folder as the pipeline's `save_pretrained` writes it.

        Raises:
            BadModel: it holds no such model.
        """
        index = components.read_index(folder)
        absent = {name for name in cls.OPTIONAL if not (folder / name).is_dir()}
        parts: dict[str, Any] = dict.fromkeys(absent)
        for name, kind in cls.TOKENIZERS.items():
            if name not in absent:
                parts[name] = components.load_tokenizer(kind, folder, name)
        for name, kind in cls.MODULES.items():
            if name not in absent:
                wide = name == "vae" and dtype == torch.float16 and _overflows(kind, folder)
                parts[name] = components.load_module(
                    kind, folder, name, dtype=torch.float32 if wide else dtype
                )
        parts["scheduler"] = cls.load_scheduler(folder)
        takes = inspect.signature(cls.PIPELINE.__init__).parameters
        settings = {
            name: value
            for name, value in index.items()
            if name in takes and name not in parts and isinstance(value, bool | int)
        }
        # Others, such as a safety checker or an image encoder, are for what is not done here.
        unused = {
            name: None
            for name, parameter in takes.items()
            if parameter.default is inspect.Parameter.empty and name not in {*parts, "self"}
        }
        return cls(cls.PIPELINE(**{**unused, **settings, **parts, **cls._extras()}))

    @classmethod
    def encoders(cls) -> frozenset[str]:
        """All but the denoiser and the VAE."""
        return frozenset({*cls.TOKENIZERS, *cls.MODULES} - {cls.DENOISER, "vae"})

    def with_loras(self, files: Sequence[LoraFile]) -> Self:
        """The same model with LoRAs added; what they leave as it was is shared.

        Raises:
            BadModel: one of them fits no weight.
        """
        if not self.FACTS.loras:
            return super().with_loras(files)
        return type(self)(loras.added(self._pipeline, files))

    def quantized(self) -> Self:
        """The same model with its denoiser's blocks in eight bits; all else is shared."""
        like = copy.copy(self._pipeline)
        setattr(like, self.DENOISER, quantizing.quantized(self._net))
        return type(self)(like)

    @classmethod
    def load_scheduler(cls, folder: Path) -> Any:
        """The folder's scheduler, or the only one that the family can be drawn with."""
        return components.load_scheduler(folder)

    @classmethod
    def _extras(cls) -> dict[str, Any]:
        """Further arguments of the pipeline."""
        return {}

    def lender(self) -> Lender | None:
        """Of likenesses of the denoiser, hooked."""
        return self._lender

    @contextmanager
    def using(self, net: Any) -> Iterator[None]:
        """Have forwards go through a likeness of the denoiser."""
        plain, self._net = self._net, net
        try:
            with net.cache_context("step"):
                yield
        finally:
            self._net = plain

    def tokens(self, prompt: str) -> int:
        """The longest of the counts that matter."""
        return max(len(count(prompt, truncation=False).input_ids) for count in self._counters)

    def latent_shape(self, width: int, height: int) -> tuple[int, ...]:
        """`[1, channels, height / 8, width / 8]`, or whatever the VAE's scale is."""
        scale = self._pipeline.vae_scale_factor
        channels = self._net.config.in_channels // (4 if self.PACKED else 1)
        return (1, channels, height // scale, width // scale)

    def decode(self, latent: torch.Tensor) -> Image:
        """Through the VAE."""
        config = self._vae.config
        shift = getattr(config, "shift_factor", None) or 0.0
        latent = latent.to(self._vae.dtype) / config.scaling_factor + shift
        return self._picture(self._through_vae(latent))

    def preview(self, latent: torch.Tensor) -> Image:
        """The picture itself."""
        return self.decode(latent)

    def _through_vae(self, latent: torch.Tensor) -> torch.Tensor:
        """Pixels; of large pictures tile by tile with blended seams, as a whole may not fit."""
        scale = self._pipeline.vae_scale_factor
        tiled = latent.shape[-1] * latent.shape[-2] * scale**2 > self.TILED_PIXELS
        (self._vae.enable_tiling if tiled else self._vae.disable_tiling)()
        pixels: torch.Tensor = self._vae.decode(latent, return_dict=False)[0]
        return pixels

    def _picture(self, pixels: torch.Tensor) -> Image:
        picture: Image = self._pipeline.image_processor.postprocess(pixels)[0]
        return picture

    def _native(self) -> int:
        """Pixels a side, as the denoiser's config has it, or the pipeline."""
        own = getattr(self._net.config, "sample_size", None)
        side: int | None = own or getattr(self._pipeline, "default_sample_size", None)
        return side * self._pipeline.vae_scale_factor if side else self.NATIVE

    def _limits(self) -> Limits:
        facts, native = self.FACTS, self._native()
        return Limits(
            width=native,
            height=native,
            # A tiny model's native size may lie below what the family is made for.
            min_side=min(facts.min_side, native // 2),
            max_side=facts.max_side,
            side_multiple=self._pipeline.vae_scale_factor * self.PATCH,
            max_pixels=facts.max_pixels,
            # The spacing of more than half the training's timesteps can step over their end.
            max_steps=min(facts.max_steps, self.scheduler.config.num_train_timesteps // 2),
            max_prompt_tokens=self.MAX_TOKENS,
            max_guidance=facts.max_guidance if facts.guided else 1.0,
            resumable=facts.resumable and components.resumable(self.scheduler),
        )


class MaskedFamily(PipelineFamily):
    """Told the states of the words, filled up to the bound, and a mask of those that count."""

    def encode(
        self,
        prompt: str,
        negative: str,
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States and mask."""
        guided = scale > 1.0
        plus, mask, minus, mask_minus = self._pipeline.encode_prompt(
            prompt, guided, negative_prompt=negative, device=self._net.device, **self._encoding()
        )
        return Conditioning(
            positive={"states": plus, "mask": mask},
            negative={"states": minus, "mask": mask_minus} if guided else None,
        )

    def _encoding(self) -> dict[str, Any]:
        """Further arguments of the pipeline's own encoding."""
        return {}


class FlowFamily(PipelineFamily):
    """Flow matching with a transformer: noise shares from 1 down, shifted by the length."""

    MAX_SHIFT: ClassVar[float] = 1.15
    """The pipeline's default where the scheduler's config names none."""

    @classmethod
    def load_scheduler(cls, folder: Path) -> Any:
        """The folder's, which must be flow matching's Euler."""
        scheduler = super().load_scheduler(folder)
        if not isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
            raise BadModel(
                f"the scheduler is {type(scheduler).__name__}, not flow matching's Euler"
            )
        return scheduler

    def set_timesteps(self, scheduler: Any, steps: int, *, width: int, height: int) -> None:
        """Evenly from 1 to 1 / steps; the scheduler shifts them."""
        shares = torch.linspace(1.0, 1 / steps, steps, dtype=torch.float64).numpy()
        scheduler.set_timesteps(sigmas=shares, mu=self._shift(scheduler, steps, width, height))

    def _shift(self, scheduler: Any, steps: int, width: int, height: int) -> float:  # noqa: ARG002
        """How far the schedule leans to noise: linear in the number of tokens of the picture."""
        _, _, rows, columns = self.latent_shape(width, height)
        config = scheduler.config
        least, most = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
        low, high = config.get("base_shift", 0.5), config.get("max_shift", self.MAX_SHIFT)
        slope: float = (high - low) / (most - least)
        return (rows // 2) * (columns // 2) * slope + low - slope * least


def talked(counter: Any, prompt: str, *, thinking: bool) -> int:
    """Tokens of a prompt in the form of a talk, as a language model is asked."""
    said = counter.apply_chat_template(
        [{"role": "user", "content": prompt}],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=thinking,
    )
    return len(counter(said, truncation=False).input_ids)


def pack(latents: torch.Tensor) -> torch.Tensor:
    """Planes `[n, c, h, w]` to tokens `[n, h/2 * w/2, 4c]` of 2 by 2 squares."""
    rows, channels, height, width = latents.shape
    squares = latents.view(rows, channels, height // 2, 2, width // 2, 2)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(rows, height // 2 * (width // 2), channels * 4)


def unpack(tokens: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The inverse, to the shape of `like`."""
    rows, channels, height, width = like.shape
    squares = tokens.view(rows, height // 2, width // 2, channels, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(rows, channels, height, width)


def _overflows(kind: Any, folder: Path) -> bool:
    """Whether the VAE overflows in float16, as its config says: keep it wide, never recast it."""
    if kind is not AutoencoderKL:
        return False
    wide: bool = kind.load_config(folder / "vae").get("force_upcast", True)
    return wide
