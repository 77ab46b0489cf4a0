"""Events of devices that become unwell: once each, with the reason, and once when well."""

from argus_operator.metrics import Metrics
from argus_operator.teller import Teller
from argus_protos.v1 import cluster_pb2


class Herald:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    async def tell(self, reason, message, *, warning=False):
        self.told.append((reason, message, warning))


def state(reason=""):
    return cluster_pb2.WorkerState(health=cluster_pb2.Health(ok=not reason, reason=reason))


async def test_a_device_is_told_of_when_it_falls_ill_and_when_it_is_well():
    herald = Herald()
    teller = Teller(None, herald, Metrics())
    looks = [
        {"w0": state(), "w1": state()},
        {"w0": state("slowed down for 60 s by heat"), "w1": state()},
        {"w0": state("slowed down for 65 s by heat"), "w1": state()},
        {"w1": state()},
        {"w0": state("slowed down for 75 s by heat"), "w1": state()},
        {"w0": state(), "w1": state()},
    ]
    for states in looks:
        await teller._announce_health(states)
    assert herald.told == [
        ("DeviceUnwell", "w0: slowed down for 60 s by heat", True),
        ("DeviceWell", "w0", False),
    ]


async def test_many_at_once_are_one_event():
    herald = Herald()
    await Teller(None, herald, Metrics())._announce_health(
        {f"w{n}": state("lost") for n in range(8)}
    )
    ((reason, message, _),) = herald.told
    assert reason == "DeviceUnwell"
    assert message.startswith("w0: lost, w1: lost")
    assert message.endswith("and 3 more")
