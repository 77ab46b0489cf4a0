"""Metrics of many clusters are written out where nobody waits for it."""

import asyncio
import threading

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from argus_cli.local.ports import free_port
from argus_operator.health import HealthServer, Heartbeats
from helpers import eventually


class Slow:
    """A registry's part that takes as long as it is told to, and says in which thread."""

    def __init__(self):
        self.threads, self.may_go_on = [], threading.Event()

    def collect(self):
        self.threads.append(threading.get_ident())
        assert self.may_go_on.wait(10)
        yield GaugeMetricFamily("argus_slow", "Slow.", value=len(self.threads))


@pytest.fixture
async def served():
    registry, slow = CollectorRegistry(auto_describe=False), Slow()
    slow.may_go_on.set()
    registry.register(slow)
    slow.threads.clear()
    slow.may_go_on.clear()
    server, ports = HealthServer(Heartbeats(), registry), (free_port(), free_port())
    await server.start({"health": ports[0], "metrics": ports[1]})
    try:
        async with aiohttp.ClientSession() as session:

            async def ask(port, path):
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, await answer.text()

            yield slow, lambda: ask(ports[1], "/metrics"), lambda: ask(ports[0], "/healthz")
    finally:
        slow.may_go_on.set()
        await server.stop()


async def test_nobody_waits_while_metrics_are_written_and_all_who_ask_meanwhile_get_them(served):
    slow, metrics, health = served
    asking = [asyncio.create_task(metrics()) for _ in range(20)]
    await eventually(lambda: slow.threads)
    assert (await health())[0] == 200
    asking[0].cancel()
    slow.may_go_on.set()
    answers = await asyncio.gather(*asking[1:])
    assert {status for status, _ in answers} == {200}
    assert all("argus_slow" in text for _, text in answers)
    assert len(slow.threads) < len(asking)
    assert threading.get_ident() not in slow.threads
    asked = len(slow.threads)
    await metrics()
    assert len(slow.threads) == asked + 1
