"""Variants in host memory, loaded from disk once and kept while there is room.

Owned by the engine's thread; another may prefetch, and each waits for the other. Invariant: once
`fetch` returned a variant, fetching it again reads nothing from disk, until `trim` dropped it for
room; what a loadout names is never dropped.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from argus_core import latents
from argus_core.spec import Variant
from argus_worker import failures, sources
from argus_worker.errors import BadModel
from argus_worker.families import find_family
from argus_worker.families.protocol import Family
from argus_worker.latents import scheduler_digest
from argus_worker.loras import LoraFile
from argus_worker.residency import Residency, Weights, pointer, size

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A variant that is in host memory."""

    variant: str
    family: Family
    model: str
    """Tells this model from any other; see `sources.fingerprint`."""
    scheduler: str
    """Tells this scheduler config from any other."""
    encoder: str
    """Tells what its prompts are encoded with from anything else."""
    residency: Residency
    """Where its weights are."""
    base: Held | None = None
    """What it was made from, by LoRAs or in eight bits, where another may have use for it."""

    @property
    def latent_space(self) -> str:
        """Names the space that its latents live in."""
        return latents.latent_space(
            variant=self.variant,
            model=self.model,
            scheduler=self.scheduler,
            dtype=str(self.family.dtype).removeprefix("torch."),
        )


class Masters:
    """The variants known, and those of them in host memory; least recently fetched first."""

    def __init__(
        self,
        variants: Mapping[str, Variant],
        *,
        device: torch.device,
        limit_bytes: int,
        families: Callable[[str], type[Family]] = find_family,
    ) -> None:
        self.variants = dict(variants)
        self._device, self._limit, self._find = device, limit_bytes, families
        self.weights = Weights(device)
        self._lock = threading.RLock()
        self._held: OrderedDict[str, Held] = OrderedDict()

    @property
    def bytes(self) -> int:
        """Host memory that the weights take, those that models share counted once."""
        every = (m for held in self._all() for m in held.residency.masters)
        return size({pointer(master): master for master in every}.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Variants in host memory, least recently fetched first."""
        return tuple(self._held)

    def fetch(self, name: str) -> tuple[Held, int]:
        """The variant, and the bytes read from disk to get it: 0 where it was here already.

        Raises:
            BadModel: its model is missing, corrupt, or of another family.
        """
        read = 0
        with self._lock:
            if name not in self._held:
                self._held[name], read = self._load(self.variants[name])
            self._held.move_to_end(name)
            return self._held[name], read

    def prefetch(self, name: str) -> bool:
        """Fetch a variant while others serve, from any thread; whether it is in host memory then.

        Not where it would be made of a model that may be on the device, nor where there is no room
        for it beside those that are held.
        """
        variant = self.variants[name]
        with self._lock:
            if name in self._held:
                return True
            origins = {_origin(self.variants[held]) for held in self._held}
            if _derived(variant) and _origin(variant) in origins:
                return False
            try:
                if self.bytes + sources.disk_bytes(sources.resolve(variant)) > self._limit:
                    return False
                self.fetch(name)
            except BadModel as error:
                log.warning("cannot prefetch %s: %s", name, error)
                return False
        return True

    def trim(self, keep: Collection[str]) -> None:
        """Drop variants, least recently fetched first and never one to keep, until all fit."""
        with self._lock:
            droppable = [name for name in self._held if name not in keep]
            while droppable and self.bytes > self._limit:
                log.info("dropping %s from host memory", droppable[0])
                del self._held[droppable.pop(0)]
                failures.free_memory()

    def _all(self) -> Iterator[Held]:
        for held in self._held.values():
            yield held
            if held.base is not None:
                yield held.base

    def _load(self, variant: Variant) -> tuple[Held, int]:
        folder: object = variant.model
        try:
            folder = sources.resolve(variant)
            base, read = self._base(variant, folder)
            if not _derived(variant):
                return replace(base, variant=variant.name), read
            files = [sources.find_lora(lora) for lora in variant.loras]
            held = self._derive(variant, base, files, folder)
        except BadModel as error:
            raise BadModel(f"variant {variant.name}: {error}") from error
        except Exception as error:  # a corrupt folder breaks the libraries in every way
            problem = f"{type(error).__name__}: {error}".splitlines()[0][:500]
            raise BadModel(f"variant {variant.name}: cannot load {folder}: {problem}") from error
        return held, read + sum(file.path.stat().st_size for file in files)

    def _derive(
        self, variant: Variant, base: Held, files: Sequence[LoraFile], folder: Path
    ) -> Held:
        """The base with LoRAs added, then quantised."""
        family = base.family.with_loras(files) if files else base.family
        family = family.quantized() if variant.quantization else family
        held = Held(
            variant=variant.name,
            family=family,
            model="+".join(
                filter(None, (sources.fingerprint(folder, files), variant.quantization))
            ),
            scheduler=base.scheduler,
            encoder=base.encoder,
            residency=Residency(family.modules.values(), self.weights),
            base=base if self._wanted(variant) else None,
        )
        if _same_encoder(held, base):
            return held
        return replace(held, encoder=f"{base.encoder}+{held.model}")

    def _base(self, variant: Variant, folder: Path) -> tuple[Held, int]:
        """The variant as its model's folder has it, and the bytes read, if any had to be."""
        for name, held in self._held.items():
            if _origin(self.variants[name]) == _origin(variant):
                if not _derived(self.variants[name]):
                    return held, 0
                if held.base is not None:
                    return held.base, 0
        family = self._find(variant.family).load(folder, dtype=getattr(torch, variant.dtype))
        held = Held(
            variant=variant.name,
            family=family,
            model=sources.fingerprint(folder),
            scheduler=scheduler_digest(family.scheduler),
            encoder=_encoder(variant, folder, type(family)),
            residency=Residency(family.modules.values(), self.weights),
        )
        return held, sources.disk_bytes(folder)

    def _wanted(self, variant: Variant) -> bool:
        """Whether any other variant is made of the same model."""
        alike = [o for o in self.variants.values() if _origin(o) == _origin(variant)]
        return len(alike) > 1


def _encoder(variant: Variant, folder: Path, family: type[Family]) -> str:
    """The same only where the code, the components and the dtype are."""
    own = sources.encoder(folder, family.encoders())
    return f"{family.__module__}.{family.__qualname__}/{variant.dtype}/{own}"


def _same_encoder(held: Held, base: Held) -> bool:
    """Whether LoRAs left alone what prompts are encoded with; nothing of `held` was moved yet."""
    masters = {pointer(master) for master in base.residency.masters}
    parts = [held.family.modules.get(name) for name in held.family.encoders()]
    return all(
        pointer(tensor) in masters
        for part in parts
        if part is not None
        for tensor in (*part.parameters(), *part.buffers())
    )


def _origin(variant: Variant) -> tuple[str | None, ...]:
    """What variants share that differ by LoRAs, or in eight bits, alone.

    One without either is run as it was read, so how it is run counts.
    """
    how = (variant.compile, variant.attention)
    return variant.family, variant.model, variant.revision, variant.dtype, *how


def _derived(variant: Variant) -> bool:
    """Whether it is made from what its model's folder has."""
    return bool(variant.loras or variant.quantization)
