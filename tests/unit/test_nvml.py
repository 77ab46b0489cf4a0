"""What is asked of NVIDIA's library, against one that answers by its C interface.

`Library` stands where `libnvidia-ml` is loaded, below pynvml, and fills in what pynvml hands it: a
GPU is not needed.
"""

import os

import pynvml
import pytest
import torch

from argus_core.device_health import Cause, Condition, judge
from argus_worker import nvml

OK, LOST = pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_GPU_IS_LOST
UNSUPPORTED, EMPTY = pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_TIMEOUT
GIB = 2**30


class Library:
    """A driver's library of one GPU; what it lacks raises AttributeError, as in ctypes."""

    def __init__(self):
        self.xids, self.processes = [], []
        self.uncorrected = self.unmapped = self.reasons = 0
        self.code, self.unsupported = OK, set()

    def _told(self, name, **filled):
        if name in self.unsupported:
            return UNSUPPORTED
        for place, value in filled.values():
            place._obj.value = value
        return self.code

    def nvmlEventSetCreate(self, _set):
        return OK

    def nvmlDeviceRegisterEvents(self, _handle, _kinds, _set):
        return UNSUPPORTED if "xids" in self.unsupported else OK

    def nvmlDeviceGetMemoryInfo(self, _handle, memory):
        memory._obj.total = 80 * GIB
        return self.code

    def nvmlDeviceGetCurrentClocksEventReasons(self, _handle, reasons):
        return self._told("reasons", a=(reasons, self.reasons))

    def nvmlDeviceGetTotalEccErrors(self, _handle, _kind, _counter, count):
        return self._told("ecc", a=(count, self.uncorrected))

    def nvmlDeviceGetRemappedRows(self, _handle, corrected, lost, pending, failed):
        return self._told(
            "rows", a=(corrected, 0), b=(lost, 0), c=(pending, 0), d=(failed, self.unmapped)
        )

    def nvmlDeviceGetTemperature(self, _handle, _sensor, degrees):
        return self._told("temperature", a=(degrees, 61))

    def nvmlDeviceGetComputeRunningProcesses_v3(self, _handle, count, places):
        if not self.processes:
            return OK
        if places is None:
            count._obj.value = len(self.processes)
            return pynvml.NVML_ERROR_INSUFFICIENT_SIZE
        count._obj.value = len(self.processes)
        for place, (pid, used) in zip(places, self.processes, strict=False):
            place.pid, place.usedGpuMemory = pid, used
        return OK

    def nvmlEventSetWait_v2(self, _set, data, _patience):
        if not self.xids:
            return EMPTY
        data._obj.eventData = self.xids.pop(0)
        return OK


@pytest.fixture
def library(monkeypatch):
    """pynvml over such a library."""
    library = Library()
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return library


@pytest.fixture
def gpu(library):
    return nvml._NvmlGpu(pynvml.c_nvmlDevice_t())


def test_a_gpu_that_is_well_is_read(gpu):
    reading = gpu.read()
    assert (reading.memory_bytes, reading.temperature, reading.lost) == (80 * GIB, 61.0, "")
    assert judge(Condition(), reading, now=0.0).cause is None


def test_errors_of_the_driver_are_taken_once(gpu, library):
    library.xids = [31, 79]
    reading = gpu.read()
    assert reading.xids == (31, 79)
    condition = judge(Condition(), reading, now=0.0)
    assert (condition.cause, condition.fatal) == (Cause.XID, True)
    assert gpu.read().xids == ()


def test_a_flood_of_them_does_not_hold_it_up(gpu, library):
    library.xids = [13] * 1000
    assert len(gpu.read().xids) == nvml._MOST_XIDS


@pytest.mark.parametrize(
    ("field", "value", "cause"), [("uncorrected", 4, Cause.MEMORY), ("unmapped", 1, Cause.MEMORY)]
)
def test_memory_errors_are_read(gpu, library, field, value, cause):
    before = judge(Condition(), gpu.read(), now=0.0)
    setattr(library, field, value)
    assert judge(before, gpu.read(), now=5.0).cause is cause


@pytest.mark.parametrize(
    ("bit", "words"),
    [
        (pynvml.nvmlClocksEventReasonHwThermalSlowdown, ("heat",)),
        (pynvml.nvmlClocksEventReasonSwThermalSlowdown, ("heat",)),
        (pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown, ("the power supply",)),
        (pynvml.nvmlClocksEventReasonSwPowerCap, ()),
    ],
)
def test_what_slows_it_down_is_read_but_for_power_caps(gpu, library, bit, words):
    library.reasons = bit
    assert gpu.read().slowed == words


def test_memory_of_others_counts_where_the_driver_knows_us(gpu, library):
    library.processes = [(os.getpid(), 3 * GIB), (1, 20 * GIB)]
    reading = gpu.read()
    assert reading.foreign_bytes == 20 * GIB
    assert judge(Condition(), reading, now=0.0).cause is Cause.FOREIGN
    library.processes = [(1, 20 * GIB)]
    assert gpu.read().foreign_bytes == 0, "in a container our process has another id"


def test_a_lost_gpu_is_a_reading_too(gpu, library):
    library.code = LOST
    condition = judge(Condition(), gpu.read(), now=0.0)
    assert (condition.cause, condition.fatal) == (Cause.LOST, True)
    assert "lost" in condition.reason.lower()


def test_what_an_older_device_does_not_know_is_left_out(library):
    library.unsupported = {"reasons", "ecc", "rows", "temperature", "xids"}
    reading = nvml._NvmlGpu(pynvml.c_nvmlDevice_t()).read()
    assert (reading.uncorrected, reading.unremapped, reading.slowed) == (0, False, ())
    assert reading.temperature is None
    assert judge(Condition(), reading, now=0.0).cause is None


def test_without_the_library_there_is_nothing_to_ask(monkeypatch):
    def absent():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", absent)
    assert nvml.find(torch.device("cuda")) is None
