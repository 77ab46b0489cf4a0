"""The device that a worker computes on: its health and memory as it reports them."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import torch

from argus_core.device_health import Cause, Condition, judge
from argus_protos.v1 import cluster_pb2
from argus_worker import nvml


class Device:
    """One device, by torch's name for it: `cpu`, `cuda`, `cuda:1`."""

    def __init__(
        self, name: str, *, find: Callable[[torch.device], nvml.Gpu | None] = nvml.find
    ) -> None:
        """`find` gives what tells of the device's health, or None."""
        self.torch = torch.device(name)
        self._gpu = find(self.torch)
        self.condition = Condition()
        self.name = (
            torch.cuda.get_device_name(self.torch) if self.torch.type == "cuda" else str(self.torch)
        )
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
