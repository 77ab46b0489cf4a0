"""Who is told to ask the API server later does, a stated number of times at most."""

import time

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from argus_core.errors import Unavailable
from argus_operator.gateway import Away, Gateway
from argus_operator.kinds import CONFIG_MAP
from argus_operator.metrics import Metrics


@pytest.fixture
async def asked(tmp_path):
    """A gateway to a server that gives these answers, each a status and a Retry-After."""
    answers, metrics = [], Metrics()

    async def answer(request):
        del request
        status, after = answers.pop(0)
        headers = {"Retry-After": after} if after else {}
        return web.json_response(
            {"message": "said so", "items": []}, status=status, headers=headers
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        one = {"name": "one"}
        config = tmp_path / "kubeconfig"
        config.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{**one, "cluster": {"server": str(server.make_url("/"))}}],
                    "users": [{**one, "user": {}}],
                    "contexts": [{**one, "context": {"cluster": "one", "user": "one"}}],
                    "current-context": "one",
                }
            )
        )
        async with await Gateway.connect(str(config)) as gateway:
            gateway.throttled = metrics.throttled
            yield gateway, answers, metrics.registry


def put_off(registry):
    labels = {"kind": "ConfigMap"}
    return registry.get_sample_value("argus_operator_api_throttled_total", labels)


async def test_who_is_put_off_waits_as_long_as_was_said(asked):
    gateway, answers, registry = asked
    answers += [(429, "1"), (200, "")]
    began = time.monotonic()
    assert await gateway.list(CONFIG_MAP, "here") == []
    assert time.monotonic() - began >= 1
    assert put_off(registry) == 1


async def test_who_is_put_off_again_and_again_gives_up(asked):
    gateway, answers, registry = asked
    answers += [(429, "0")] * 4
    with pytest.raises(Away, match="429 said so"):
        await gateway.list(CONFIG_MAP, "here")
    assert len(answers) == 1
    assert put_off(registry) == 3


async def test_who_is_put_off_for_long_is_told_for_how_long_and_does_not_wait(asked):
    gateway, answers, _ = asked
    answers += [(429, "30")]
    with pytest.raises(Away) as raised:
        await gateway.list(CONFIG_MAP, "here")
    assert raised.value.after == 30


async def test_what_fails_for_one_object_alone_is_no_outage(asked):
    gateway, answers, _ = asked
    answers += [(500, ""), (503, "")]
    with pytest.raises(Unavailable) as raised:
        await gateway.list(CONFIG_MAP, "here")
    assert not isinstance(raised.value, Away)
    with pytest.raises(Away):
        await gateway.list(CONFIG_MAP, "here")
