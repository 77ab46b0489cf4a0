"""The device that a worker computes on: its health and memory as it reports them."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import torch

from argus_core.device_health import Cause, Condition, judge
from argus_core.errors import NotBuilt
from argus_protos.v1 import cluster_pb2
from argus_worker import nvml


class Device:
    """One device, by torch's name for it: `cpu`, `cuda`, `cuda:1`."""

    def __init__(
        self, name: str, *, find: Callable[[torch.device], nvml.Gpu | None] = nvml.find
    ) -> None:
        """`find` gives what tells of the device's health, or None.

        Raises:
            NotBuilt: there is no such device here, or torch cannot use it.
        """
        self.torch = torch.device(name)
        self.name = _name(self.torch)
        self._gpu = find(self.torch)
        self.condition = Condition()
        self._process = psutil.Process()
        self._broken = ""

    def broke(self, reason: str) -> None:
        """Note that the device is of no use any more in this process."""
        self._broken = reason

    def look(self, now: float) -> None:
        """Ask how the device is; blocks while its driver does. `now` in seconds."""
        if self._gpu is not None:
            self.condition = judge(self.condition, self._gpu.read(), now=now)

    def health(self) -> cluster_pb2.Health:
        """Whether the device can be used."""
        reason, cause = self.condition.reason, self.condition.cause
        if self._broken:
            reason, cause = self._broken, Cause.BROKEN
        return cluster_pb2.Health(
            ok=not reason,
            reason=reason,
            cause=cause or "",
            device=self.name,
            temperature_celsius=self.condition.temperature,
        )

    def memory(self) -> cluster_pb2.Memory:
        """What this process takes of host and device."""
        memory = cluster_pb2.Memory(host_bytes=self._process.memory_info().rss)
        if self.torch.type == "cuda" and not self._broken:
            memory.device_bytes = torch.cuda.memory_allocated(self.torch)
            memory.device_total_bytes = torch.cuda.get_device_properties(self.torch).total_memory
        return memory


def _name(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    try:
        return torch.cuda.get_device_name(device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
        said = str(error).partition("\n")[0].partition(". ")[0]
        hint = "a pool with gpuType cpu draws without a GPU"
        raise NotBuilt(f"{device} cannot be used: {said}; {hint}") from error
