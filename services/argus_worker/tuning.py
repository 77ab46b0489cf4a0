"""Making a variant that was just loaded run well, before it serves; and trying it out.

Of the engine's thread. What was found for a model holds as long as it is in host memory: coming
back to it costs nothing again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from argus_core.spec import Variant
from argus_worker import attention, batch
from argus_worker.masters import Held
from argus_worker.order import Order
from argus_worker.sample import Sample

if TYPE_CHECKING:
    from argus_worker.families.protocol import Family

log = logging.getLogger(__name__)

BACKEND = "inductor"
"""Of torch's compiler."""
GUIDANCE = 2.0
"""Of trials with a second row; any other scale would do."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """How a variant's forward is run."""

    blocks: int = 0
    """Of its denoiser, that run compiled."""
    reason: str = ""
    """Why none do although they should; empty otherwise."""
    attention: str = attention.TORCH
    """Its kernels; see `argus_worker.attention`."""
    quantization: str = ""
    """Of its denoiser's weights; empty for none."""


@dataclass(frozen=True, kw_only=True)
class Warmed:
    """What tuning a loadout took, and came to."""

    seconds: float = 0.0
    graphs: int = 0
    """Traced by the compiler."""
    made: int = 0
    """Of those, compiled anew."""
    tuned: Mapping[str, Tuned] = field(default_factory=dict)
    """By variant."""


class Tuner:
    """Tunes variants for one device."""

    def __init__(
        self,
        variants: Mapping[str, Variant],
        *,
        device: torch.device,
        compiled: Path | None = None,
        backend: str | None = None,
        measures: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Imports torch's compiler where a variant needs it.

        Args:
            variants: by name; others are left as they are.
            device: of the forwards.
            compiled: folder of what was compiled; None is torch's own.
            backend: of torch's compiler; None for `BACKEND`.
            measures: whether kernels of attention are timed; None for on a GPU.
            clock: in seconds.
        """
        self._variants, self._device, self._clock = dict(variants), device, clock
        self._backend = backend or BACKEND
        self._measures = device.type == "cuda" if measures is None else measures
        self._tuned: WeakKeyDictionary[Family, Tuned] = WeakKeyDictionary()
        self._compiler: Any = None
        """The module, where any variant is to be compiled."""
        if any(map(self._compiles, self._variants.values())):
            from argus_worker import compiling  # noqa: PLC0415 - seconds, and most need none

            self._compiler = compiling
            if compiled is not None:
                compiling.keep_in(compiled)

    def ready(self, loadout: Sequence[Held]) -> Warmed:
        """Tune what is not tuned yet; the variants are on the device."""
        began = self._clock()
        if self._compiler is None:
            tuned = {held.variant: self._tune(held) for held in loadout}
            return Warmed(seconds=self._clock() - began, tuned=tuned)
        with self._compiler.counted() as counts:
            tuned = {held.variant: self._tune(held) for held in loadout}
        (compiled,) = counts
        return Warmed(
            seconds=self._clock() - began, graphs=compiled.graphs, made=compiled.made, tuned=tuned
        )

    def mend(self, held: Held, error: Exception) -> bool:
        """Whether the compiler is to blame for a forward that failed; then it is done without."""
        compiler = self._compiler
        if compiler is None or not compiler.is_compilers(error):
            return False
        self._tuned[held.family] = self._without(held, error)
        return True

    def _tune(self, held: Held) -> Tuned:
        family = held.family
        if family not in self._tuned:
            variant = self._variants.get(held.variant)
            self._tuned[family] = self._found(held, variant) if variant else Tuned()
        return self._tuned[family]

    def _found(self, held: Held, variant: Variant) -> Tuned:
        kernels: str = variant.attention
        if kernels == "auto":
            kernels = self._quickest(held) if self._measures else attention.TORCH
        held.family.kernels = attention.preferring(kernels)
        # Compiled last: the compiler takes the kernels that it finds chosen.
        tuned = self._compiled(held) if self._compiles(variant) else Tuned()
        return replace(tuned, attention=kernels, quantization=variant.quantization or "")

    def _quickest(self, held: Held) -> str:
        limits, guided = held.family.limits, held.family.FACTS.guided
        scale = GUIDANCE if guided else 1.0
        order = trial(held, width=limits.width, height=limits.height, scale=scale)
        try:
            sample = Sample(order, device=self._device)
            chosen, seconds = attention.quickest(
                lambda: batch.predict([sample])[0], clock=self._clock, settle=self._settle
            )
        except Exception as error:  # noqa: BLE001 - torch's own choice draws as well
            log.warning("attention of %s could not be measured: %s", held.variant, error)
            return attention.TORCH
        told = ", ".join(f"{name} {took:.4g} s" for name, took in seconds.items())
        log.info("attention of %s is %s: %s", held.variant, chosen, told)
        return chosen

    def _settle(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()

    def _compiled(self, held: Held) -> Tuned:
        count = self._compiler.compile_blocks(held.family.denoiser, backend=self._backend)
        if not count:
            return Tuned(reason=f"nothing repeats in {type(held.family.denoiser).__name__}")
        try:
            for order in trials(held):
                self._try(order)
        except Exception as error:  # noqa: BLE001 - whatever it is, it draws without
            return self._without(held, error)
        return Tuned(blocks=count)

    def _without(self, held: Held, error: Exception) -> Tuned:
        log.warning("%s is drawn with as it is, not compiled: %s", held.variant, error)
        self._compiler.undo(held.family.denoiser)
        said = " ".join(str(error).split()) or type(error).__name__
        was = self._tuned.get(held.family, Tuned())
        return replace(was, blocks=0, reason=f"it could not be compiled: {said[:200]}")

    def _try(self, order: Order) -> None:
        batch.predict([Sample(order, device=self._device)])

    def _compiles(self, variant: Variant) -> bool:
        wanted = variant.compile
        return wanted == "always" or (wanted == "auto" and self._device.type == "cuda")


def trials(held: Held) -> Iterator[Order]:
    """Orders of one step that show a compiler what will come: one row and two, and two sizes.

    A second size, of other proportions, has it find out then, and not when somebody waits, that
    sizes differ.
    """
    limits, facts = held.family.limits, held.family.FACTS
    narrower = limits.width - limits.side_multiple
    sizes = [(limits.width, limits.height)]
    if narrower >= limits.min_side:
        sizes.append((narrower, limits.height))
    scales = (GUIDANCE, 1.0) if facts.guided else (1.0,)
    for width, height in sizes:
        for scale in scales:
            yield trial(held, width=width, height=height, scale=scale)


def trial(held: Held, *, width: int, height: int, scale: float) -> Order:
    """An order of one step."""
    return Order(
        request_id="trial",
        held=held,
        prompt="a",
        negative_prompt="",
        width=width,
        height=height,
        steps=1,
        skipped_steps=0,
        guidance_scale=scale,
        seed=0,
        start=None,
        capture_steps=frozenset(),
        preview_every_steps=0,
        compatibility="",
    )
