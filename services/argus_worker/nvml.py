"""What NVIDIA's driver tells of a GPU, by NVML; a device without it is None, and none the worse."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Protocol

import pynvml
import torch

from argus_core.device_health import Reading

log = logging.getLogger(__name__)

_SLOWED = {
    "heat": pynvml.nvmlClocksEventReasonHwThermalSlowdown
    | pynvml.nvmlClocksEventReasonSwThermalSlowdown,
    "the power supply": pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown,
}
_MOST_XIDS = 64
"""Taken from the driver's queue at once."""


class Gpu(Protocol):
    """A device that tells how it is."""

    def read(self) -> Reading:
        """Now; from one thread at a time. Never raises."""
        ...


def find(device: torch.device) -> Gpu | None:
    """The device as its driver knows it; None on a CPU, or where there is no NVML to ask."""
    if device.type != "cuda":
        return None
    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        return _NvmlGpu(pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
    except pynvml.NVMLError as error:
        log.warning("the driver tells nothing of the device's health: %s", error)
        return None


class _NvmlGpu:
    """Not run where there is no NVIDIA GPU; every decision on what it reads is made elsewhere."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._events = pynvml.nvmlEventSetCreate()
        _unless_unsupported(
            lambda: pynvml.nvmlDeviceRegisterEvents(
                handle, pynvml.nvmlEventTypeXidCriticalError, self._events
            ),
            None,
        )

    def read(self) -> Reading:
        try:
            return self._read()
        except pynvml.NVMLError as error:
            return Reading(lost=str(error))

    def _read(self) -> Reading:
        handle = self._handle
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        reasons = _unless_unsupported(
            lambda: pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle), 0
        )
        return Reading(
            memory_bytes=memory.total,
            foreign_bytes=_unless_unsupported(self._foreign, 0),
            uncorrected=_unless_unsupported(
                lambda: pynvml.nvmlDeviceGetTotalEccErrors(
                    handle,
                    pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                    pynvml.NVML_VOLATILE_ECC,
                ),
                0,
            ),
            unremapped=_unless_unsupported(
                lambda: bool(pynvml.nvmlDeviceGetRemappedRows(handle)[3]), default=False
            ),
            xids=self._xids(),
            slowed=tuple(why for why, mask in _SLOWED.items() if reasons & mask),
            temperature=_unless_unsupported(
                lambda: float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
                None,
            ),
        )

    def _foreign(self) -> int:
        """Bytes that others hold; in a container the driver may know our process by another id."""
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        if os.getpid() not in {process.pid for process in processes}:
            return 0
        return sum(p.usedGpuMemory or 0 for p in processes if p.pid != os.getpid())

    def _xids(self) -> tuple[int, ...]:
        found: list[int] = []
        while len(found) < _MOST_XIDS:
            try:
                event = pynvml.nvmlEventSetWait_v2(self._events, 0)
            except pynvml.NVMLError_Timeout:
                break
            except pynvml.NVMLError_NotSupported:
                break
            found.append(event.eventData)
        return tuple(found)


def _unless_unsupported(ask: Callable[[], Any], default: Any) -> Any:
    """The answer; older devices and drivers do not know every question."""
    try:
        return ask()
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return default
