"""The OpenAPI document is true: schemathesis asks what it allows and what it forbids."""

import asyncio
import base64
import json

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from argus_router import openapi
from argus_router.body import read_body
from helpers import eventually
from router_support import ScriptedWorker, cluster_of, staged

CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 40
"""Requests for each operation, of those that are allowed and of those that are not."""


def holds(document, name, told):
    whole = {**document["components"]["schemas"][name], "components": document["components"]}
    jsonschema_rs.validator_for(whole).validate(told)


@pytest.fixture
async def served():
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with (
        staged(worker, cluster=cluster_of(router={"maxQueued": 1000})) as stage,
        stage.session.get("/openapi.json") as answer,
    ):
        yield stage, await answer.json()


async def test_every_example_is_answered_as_described(served):
    stage, document = served
    operation = document["paths"]["/v1/images/generations"]["post"]
    for example in operation["requestBody"]["content"]["application/json"]["examples"].values():
        body = example["value"]
        async with stage.session.post("/v1/images/generations", json=body) as answer:
            assert answer.status == 200
            if not body.get("stream"):
                holds(document, "Images", await answer.json())
                continue
            frames = (await answer.text()).strip().split("\n\n")
        told = json.loads(frames[-1].partition("data: ")[2])
        holds(document, "CompletedImage", told)


async def test_preview_is_as_described():
    worker = ScriptedWorker("w0", "large")
    async with staged(worker) as stage:
        document = openapi.document(stage.router.service.cluster.spec)
        body = {"prompt": "x", "stream": True, "partial_images": 1}
        post = asyncio.create_task(stage.session.post("/v1/images/generations", json=body))
        await eventually(lambda: worker.calls)
        worker.calls[0].step(1, preview=True)
        async with await post as answer:
            frame = (await answer.content.readuntil(b"\n\n")).decode()
            told = json.loads(frame.partition("data: ")[2])
        holds(document, "PartialImage", told)
        assert base64.b64decode(told["b64_json"])


def test_every_field_s_own_example_is_read():
    schema = openapi.document(cluster_of().spec)["components"]["schemas"]["Body"]
    for name, field in schema["properties"].items():
        read_body(json.dumps({"prompt": "x", name: field["examples"][0]}).encode())
    for name, field in schema["properties"]["argus"]["properties"].items():
        body = {"prompt": "x", "argus": {name: field["examples"][0]}}
        read_body(json.dumps(body).encode())


@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing_that_the_document_does_not_tell(served):
    stage, document = served
    await asyncio.to_thread(_explore, document, stage.http)
    await eventually(lambda: (stage.waiting, stage.running) == (0, 0))


def _explore(document, url):
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    for result in schema.get_all_operations():
        operation = result.ok()
        _ask(operation, schemathesis.GenerationMode.POSITIVE)
        if operation.body:  # Nothing is forbidden elsewhere.
            _ask(operation, schemathesis.GenerationMode.NEGATIVE)


def _ask(operation, mode):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        answer = case.call_and_validate(checks=CHECKS)
        # 500 is described, as what it is: the router's own fault.
        assert answer.status_code != 500
        if mode is schemathesis.GenerationMode.POSITIVE and answer.status_code == 400:
            # No schema can tell what quality is expected of a prompt.
            assert answer.json()["error"]["param"] == "argus.minimum_quality"

    ask()
