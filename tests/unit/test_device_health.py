"""From what a driver tells to whether its device is drawn with."""

from dataclasses import replace

import pytest
import torch

from argus_core.device_health import FATAL_XIDS, THROTTLED_SECONDS, Cause, Condition, Reading, judge
from argus_worker import nvml

WELL = Reading(memory_bytes=2**30, uncorrected=3, temperature=60.0)
HOT = replace(WELL, slowed=("heat",))


def after(*readings, every=5.0):
    condition = Condition()
    for index, reading in enumerate(readings):
        condition = judge(condition, reading, now=100 + index * every)
    return condition


def test_a_device_that_is_well_is_drawn_with():
    condition = after(WELL, WELL)
    assert (condition.reason, condition.fatal, condition.temperature) == ("", False, 60.0)
    assert condition.cause is None


@pytest.mark.parametrize(
    ("reading", "says"),
    [
        (Reading(lost="GPU is lost"), "the device is lost: GPU is lost"),
        *((replace(WELL, xids=(31, xid)), f"(Xid {xid})") for xid in FATAL_XIDS),
        (replace(WELL, uncorrected=5), "2 memory errors could not be corrected"),
        (replace(WELL, unremapped=True), "memory rows cannot be remapped"),
    ],
)
def test_what_only_another_device_mends_stays(reading, says):
    condition = after(WELL, reading)
    assert condition.fatal
    assert says in condition.reason
    assert condition.cause in {Cause.LOST, Cause.XID, Cause.MEMORY}
    assert after(WELL, reading, WELL).reason == condition.reason


def test_errors_of_before_the_process_began_do_not_count():
    assert not after(replace(WELL, uncorrected=7)).reason


@pytest.mark.parametrize("xid", [13, 31, 43, 45, 94])
def test_errors_of_programs_leave_the_device_sound(xid):
    assert not after(WELL, replace(WELL, xids=(xid,))).reason


def test_heat_counts_once_it_has_lasted_and_passes():
    rounds = int(THROTTLED_SECONDS / 5)
    assert not after(*[HOT] * rounds).reason
    condition = after(*[HOT] * (rounds + 1))
    assert "slowed down for 60 s by heat" in condition.reason
    assert not condition.fatal
    assert not after(*[HOT] * (rounds + 1), WELL).reason
    assert not after(*[HOT] * rounds, WELL, HOT).reason, "it is counted anew"


def test_memory_that_others_hold_counts_until_they_let_go():
    crowded = replace(WELL, foreign_bytes=2**28)
    assert after(crowded).reason == "others hold 0.2 GiB of the device's memory"
    assert not after(crowded, WELL).reason
    assert not after(replace(WELL, foreign_bytes=2**20)).reason


def test_a_cpu_has_no_driver_to_ask():
    assert nvml.find(torch.device("cpu")) is None
