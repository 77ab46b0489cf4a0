"""The device that a worker computes on: its health and memory as it reports them."""

from __future__ import annotations

import psutil
import torch

from argus_protos.v1 import cluster_pb2


class Device:
    """One device, by torch's name for it: `cpu`, `cuda`, `cuda:1`."""

    def __init__(self, name: str) -> None:
        self.torch = torch.device(name)
        self.name = (
            torch.cuda.get_device_name(self.torch) if self.torch.type == "cuda" else str(self.torch)
        )
        self._process = psutil.Process()
        self._broken = ""

    def broke(self, reason: str) -> None:
        """Note that the device is of no use any more in this process."""
        self._broken = reason

    def health(self) -> cluster_pb2.Health:
        """Whether the device can be used."""
        return cluster_pb2.Health(ok=not self._broken, reason=self._broken, device=self.name)

    def memory(self) -> cluster_pb2.Memory:
        """What this process takes of host and device."""
        memory = cluster_pb2.Memory(host_bytes=self._process.memory_info().rss)
        if self.torch.type == "cuda" and not self._broken:
            memory.device_bytes = torch.cuda.memory_allocated(self.torch)
            memory.device_total_bytes = torch.cuda.get_device_properties(self.torch).total_memory
        return memory
