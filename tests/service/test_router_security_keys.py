"""API keys: whose a request is, on both fronts; hashed at rest, read anew when they change."""

import aiohttp
import grpc
import openai
import pytest
from typer.testing import CliRunner

from argus_cli.main import app
from argus_core.errors import InvalidRequest
from argus_protos.v1 import control_pb2, images_pb2
from argus_router.gate import Gate
from argus_rpc import fresh
from argus_rpc.keys import CONTROL, line, new_key, parse_keys
from helpers import eventually
from router_support import ScriptedWorker, collect
from security_support import guarded, stubs, write


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(fresh, "EVERY", 0.0)


SHOP, OTHER, OPERATOR = new_key(), new_key(), new_key()


def keys_file(folder, **keys):
    text = "# who may draw\n\n" + "".join(f"{line(t, k)}\n" for t, k in keys.items())
    return write(folder / "keys", text.encode())


@pytest.fixture
async def served(tmp_path):
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    path = keys_file(tmp_path, shop=SHOP, other=OTHER, **{CONTROL: OPERATOR})
    async with guarded(worker, keys=path) as (router, address, url):
        await eventually(lambda: router.service.ready)
        yield router, address, url, tmp_path


def client_of(url, key):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def bearer(key):
    return (("authorization", f"Bearer {key}"),)


async def code_of(call):
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


def describe(images, metadata):
    return images.DescribeCluster(images_pb2.DescribeClusterRequest(), metadata=metadata)


async def test_key_opens_both_fronts(served):
    _, address, url, _ = served
    async with client_of(url, SHOP) as client:
        assert (await client.images.generate(prompt="x")).data
        assert (await client.models.list()).data
        assert (await client.models.retrieve("auto")).id == "auto"
    async with grpc.aio.insecure_channel(address) as channel:
        images, _ = stubs(channel)
        call = images.Generate(images_pb2.GenerateRequest(prompt="x"), metadata=bearer(SHOP))
        assert (await collect(call))[-1].HasField("result")
        assert await code_of(describe(images, bearer(SHOP))) == "OK"


@pytest.mark.parametrize(
    "key",
    ["", "nonsense", new_key(), SHOP[:-1], SHOP + "x", "\xff"],
    ids=["none", "nonsense", "another", "too short", "too long", "not ASCII"],
)
async def test_unknown_key_opens_neither(served, key):
    _, address, url, _ = served
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(base_url=url, headers=headers) as session,
        session.post("/v1/images/generations", json={"prompt": "x"}) as answer,
    ):
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        error = (await answer.json())["error"]
        assert (error["code"], error["type"]) == ("unauthenticated", "authentication_error")
    if not key.isascii():
        return  # No such metadata can be sent.
    async with grpc.aio.insecure_channel(address) as channel:
        images, control = stubs(channel)
        call = collect(
            images.Generate(images_pb2.GenerateRequest(prompt="x"), metadata=bearer(key))
        )
        assert await code_of(call) == "UNAUTHENTICATED"
        assert await code_of(describe(images, bearer(key))) == "UNAUTHENTICATED"
        plan = control.ApplyPlan(control_pb2.ApplyPlanRequest(), metadata=bearer(key))
        assert await code_of(plan) == "UNAUTHENTICATED"


async def test_openai_client_knows_the_refusal_for_what_it_is(served):
    _, _, url, _ = served
    async with client_of(url, "nonsense") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.images.generate(prompt="x")


@pytest.mark.parametrize(
    "metadata", [(), bearer(SHOP) * 2, (("authorization", SHOP),), (("authorization", "Bearer"),)]
)
async def test_one_key_must_be_shown_as_a_bearer_does(served, metadata):
    _, address, _, _ = served
    async with grpc.aio.insecure_channel(address) as channel:
        images, _ = stubs(channel)
        assert await code_of(describe(images, metadata)) == "UNAUTHENTICATED"


async def test_tenant_is_the_keys_whatever_the_header_says(tmp_path):
    gate = Gate(keys_file(tmp_path, shop=SHOP))
    assert gate.tenant([f"Bearer {SHOP}"], ["other"]) == "shop"
    assert gate.tenant([f"bearer {SHOP}"], []) == "shop"
    assert Gate().tenant([], ["other"]) == "other"
    assert Gate().tenant(["Bearer whatever"], []) == "default"


async def test_keys_may_stand_in_several_files(tmp_path):
    own = write(tmp_path / "own", f"{line(CONTROL, OPERATOR)}\n".encode())
    gate = Gate(keys_file(tmp_path, shop=SHOP), own)
    gate.control([f"Bearer {OPERATOR}"])
    assert gate.tenant([f"Bearer {SHOP}"], []) == "shop"
    with pytest.raises(InvalidRequest, match="own: another tenant"):
        Gate(tmp_path / "keys", write(own, f"{line('other', SHOP)}\n".encode()))


async def test_control_service_has_keys_of_its_own(served):
    _, address, url, _ = served
    async with grpc.aio.insecure_channel(address) as channel:
        images, control = stubs(channel)
        watching = control.WatchLoad(control_pb2.WatchLoadRequest(), metadata=bearer(SHOP))
        assert await code_of(watching.read()) == "PERMISSION_DENIED"
        plan = control.ApplyPlan(control_pb2.ApplyPlanRequest(), metadata=bearer(SHOP))
        assert await code_of(plan) == "PERMISSION_DENIED"
        for told, asked in (
            (control.ListPlans, control_pb2.ListPlansRequest()),
            (control.Explain, control_pb2.ExplainRequest()),
            (control.RecordPlans, control_pb2.RecordPlansRequest()),
        ):
            assert await code_of(told(asked, metadata=bearer(SHOP))) == "PERMISSION_DENIED"
        assert await code_of(describe(images, bearer(OPERATOR))) == "PERMISSION_DENIED"
        # It comes as far as being read.
        plan = control.ApplyPlan(control_pb2.ApplyPlanRequest(), metadata=bearer(OPERATOR))
        assert await code_of(plan) == "INVALID_ARGUMENT"
    async with client_of(url, OPERATOR) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.images.generate(prompt="x")


async def test_keys_are_read_anew_when_they_change(served):
    _, address, _, folder = served
    fresh_key = new_key()
    keys_file(folder, shop=fresh_key)
    async with grpc.aio.insecure_channel(address) as channel:
        images, _ = stubs(channel)
        assert await code_of(describe(images, bearer(fresh_key))) == "OK"
        assert await code_of(describe(images, bearer(SHOP))) == "UNAUTHENTICATED"
        write(folder / "keys", b"shop = nonsense")
        assert await code_of(describe(images, bearer(fresh_key))) == "OK"
        (folder / "keys").unlink()
        assert await code_of(describe(images, bearer(fresh_key))) == "OK"


async def test_probes_metrics_and_the_description_need_no_key(served):
    router, _, url, _ = served
    async with aiohttp.ClientSession(base_url=url) as session:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            async with session.get(path) as answer:
                assert answer.status == 200
        for path in ("/v1/models", "/v1/models/auto"):
            async with session.get(path) as answer:
                assert answer.status == 401
        async with session.get("/openapi.json") as answer:
            assert (await answer.json())["paths"]["/v1/models"]["get"]["security"] == [{"key": []}]


def test_tenant_may_have_several_keys_and_two_tenants_never_one():
    kept = parse_keys("\n".join([line("shop", SHOP), line("shop", OTHER)]))
    assert list(kept.values()) == ["shop", "shop"]
    with pytest.raises(InvalidRequest, match="line 2"):
        parse_keys("\n".join([line("shop", SHOP), line("other", SHOP)]))


@pytest.mark.parametrize(
    "text",
    ["shop", "shop: key", f"shop: {SHOP}", "Shop: sha256:" + "0" * 64, "shop: sha256:" + "0" * 63],
    ids=["no key", "no digest", "the key itself", "no tenant's name", "too short"],
)
def test_line_that_makes_no_sense_is_refused_and_not_told(text):
    with pytest.raises(InvalidRequest) as caught:
        parse_keys(text)
    assert text not in str(caught.value)


def test_new_key_is_shown_once_and_kept_by_its_line(tmp_path):
    made = CliRunner().invoke(app, ["key", "new", "--tenant", "shop"])
    assert made.exit_code == 0
    key = made.stderr.strip().rpartition(" ")[2]
    assert key not in made.stdout
    gate = Gate(write(tmp_path / "keys", made.stdout.encode()))
    assert gate.tenant([f"Bearer {key}"], []) == "shop"
    assert CliRunner().invoke(app, ["key", "new", "--tenant", "shop"]).stdout != made.stdout


def test_new_control_key_is_the_control_services(tmp_path):
    made = CliRunner().invoke(app, ["key", "new", "--control"])
    key = made.stderr.strip().rpartition(" ")[2]
    Gate(write(tmp_path / "keys", made.stdout.encode())).control([f"Bearer {key}"])


@pytest.mark.parametrize("options", [[], ["--tenant", "a b"], ["--tenant", "x", "--control"]])
def test_new_key_needs_one_holder(options):
    made = CliRunner().invoke(app, ["key", "new", *options])
    assert isinstance(made.exception, InvalidRequest)
    assert made.exception.violations[0].field == "--tenant"
