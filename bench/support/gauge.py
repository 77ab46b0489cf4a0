"""How busy a GPU is while something is measured, as NVML tells."""

from __future__ import annotations

import threading
from statistics import fmean
from typing import Self

import pynvml
import torch

EVERY = 0.1
"""Seconds between two looks; the driver itself averages over up to a second."""


class Gauge:
    """Around what is measured: looks at the device from a thread of its own."""

    def __init__(self, device: str) -> None:
        self._seen: list[float] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        if (handle := _handle(torch.device(device))) is not None:
            self._thread = threading.Thread(target=self._look, args=(handle,), daemon=True)

    @property
    def utilisation(self) -> float | None:
        """Share of the time in which a kernel ran, 0 to 1; None where nobody tells."""
        return fmean(self._seen) if self._seen else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self, handle: object) -> None:
        while not self._over.wait(EVERY):
            self._seen.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)


def _handle(device: torch.device) -> object | None:
    if device.type != "cuda":
        return None
    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        handle: object = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError:
        return None
    return handle
