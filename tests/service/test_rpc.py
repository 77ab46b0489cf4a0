"""The plumbing under every service, by a real server and a real channel on loopback."""

import asyncio
import gc

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from argus_core import errors
from argus_core.errors import ArgusError, InvalidRequest, Violation
from argus_protos.v1 import predictor_pb2, predictor_pb2_grpc, worker_pb2, worker_pb2_grpc
from argus_rpc import lifecycle
from argus_rpc.channel import open_channel
from argus_rpc.convert import duration, seconds
from argus_rpc.decode import blame
from argus_rpc.errors import from_rpc
from argus_rpc.server import Server

SERVICE = "argus.v1.PredictorService"
PREDICT = f"/{SERVICE}/Predict"


class Echo(predictor_pb2_grpc.PredictorServiceServicer):
    """Answers the prompt as the model's version; raises whatever was put into `error`."""

    error = None

    async def Predict(self, request, context):
        if self.error:
            raise self.error
        return predictor_pb2.PredictResponse(model_version=request.prompt)


class Endless(worker_pb2_grpc.WorkerServiceServicer):
    """Watch sends one state, then fails with what was put into `error`."""

    error = None

    async def Watch(self, request, context):
        yield worker_pb2.WatchResponse()
        raise self.error


@pytest.fixture
async def served():
    echo, endless = Echo(), Endless()
    server = Server(
        address="127.0.0.1:0",
        servicers=[
            (predictor_pb2_grpc.add_PredictorServiceServicer_to_server, echo),
            (worker_pb2_grpc.add_WorkerServiceServicer_to_server, endless),
        ],
        services=[SERVICE],
    )
    port = await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        yield server, channel, echo, endless
    await server.stop(grace=0)


async def failure(call):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


LEAVES = [
    InvalidRequest([Violation("prompt", "is empty"), Violation("size.width", "is too large")]),
    errors.NotFound("no level 'x'"),
    errors.NotHeld("holds only a"),
    errors.Exhausted("no capacity", retry_after=2.5),
    errors.Unavailable("draining", retry_after=0.25),
    errors.DeadlineMissed("0.5 s ago"),
    errors.NotBuilt("not yet"),
    errors.Unauthenticated("no key"),
    errors.Forbidden("another's key"),
]


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: type(error).__name__)
async def test_an_error_arrives_as_the_leaf_that_was_raised(served, error):
    _, channel, echo, _ = served
    echo.error = error
    stub = predictor_pb2_grpc.PredictorServiceStub(channel)
    caught = from_rpc(await failure(stub.Predict(predictor_pb2.PredictRequest(prompt="p"))))
    assert type(caught) is type(error)
    assert str(caught) == str(error)
    assert caught.retry_after == error.retry_after
    assert getattr(caught, "violations", None) == getattr(error, "violations", None)


def test_every_leaf_is_sent_in_a_test_above():
    leaves = {leaf for leaf in ArgusError.__subclasses__() if leaf.__module__ == errors.__name__}
    assert {type(leaf) for leaf in LEAVES} == leaves


async def test_details_are_googles_own_types(served):
    _, channel, echo, _ = served
    echo.error = LEAVES[0]
    stub = predictor_pb2_grpc.PredictorServiceStub(channel)
    error = await failure(stub.Predict(predictor_pb2.PredictRequest(prompt="p")))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    wire = dict(error.trailing_metadata())["grpc-status-details-bin"]
    bad = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(wire).details[0].Unpack(bad)
    assert [v.field for v in bad.field_violations] == ["prompt", "size.width"]


async def test_a_bug_is_internal_and_tells_the_client_nothing_of_itself(served, caplog):
    _, channel, echo, _ = served
    echo.error = RuntimeError("secret path")
    stub = predictor_pb2_grpc.PredictorServiceStub(channel)
    error = await failure(stub.Predict(predictor_pb2.PredictRequest(prompt="p")))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    assert "secret path" in caplog.text


async def test_a_stream_that_fails_midway_ends_in_its_error(served):
    _, channel, _, endless = served
    endless.error = errors.Unavailable("gone", retry_after=1.0)
    call = worker_pb2_grpc.WorkerServiceStub(channel).Watch(worker_pb2.WatchRequest())
    assert await call.read() == worker_pb2.WatchResponse()
    error = from_rpc(await failure(call.read()))
    assert isinstance(error, errors.Unavailable)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"\x0a\x02\xff\xfe", "prompt"),
        (b"\x12\x01\xc3", "scope"),
        (b"\x0a\x7fshort", "request"),
        (b"\xff\xff\xff", "request"),
    ],
)
async def test_bytes_that_are_no_message_name_the_field(served, data, field):
    _, channel, _, _ = served
    call = channel.unary_unary(PREDICT, request_serializer=bytes, response_deserializer=bytes)
    error = from_rpc(await failure(call(data)))
    assert isinstance(error, InvalidRequest)
    assert [v.field for v in error.violations] == [field]


def test_a_fault_inside_a_nested_message_is_named_by_its_path():
    start = worker_pb2.Latent(compatibility="xy").SerializeToString().replace(b"xy", b"\xff\xff")
    data = b"\x42" + bytes([len(start)]) + start
    error = blame(data, worker_pb2.ExecuteRequest.DESCRIPTOR)
    assert error.violations[0].field == "start.compatibility"


async def test_health_tells_whether_requests_are_welcome(served):
    server, channel, _, _ = served
    stub = health_pb2_grpc.HealthStub(channel)
    for serving in (False, True, False):
        await server.set_serving(serving)
        for service in ("", SERVICE):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert (answer.status == health_pb2.HealthCheckResponse.SERVING) is serving


async def test_calls_that_all_come_at_once_are_all_answered(served):
    server, channel, _, _ = served
    await server.set_serving(True)
    health = health_pb2_grpc.HealthStub(channel)
    # All begin before the server's loop, which is this one, takes the first.
    calls = [health.Check(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(3000)]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {health_pb2.HealthCheckResponse.SERVING}


async def test_reflection_lists_the_services(served):
    _, channel, _, _ = served
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    answer = await call.read()
    names = {service.name for service in answer.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_a_port_in_use_is_a_clear_error(served):
    _, channel, _, _ = served
    first = Server(address="127.0.0.1:0", servicers=[], services=[])
    port = await first.start()
    second = Server(address=f"127.0.0.1:{port}", servicers=[], services=[])
    with pytest.raises(errors.Unavailable, match=f"127.0.0.1:{port}"):
        await second.start()
    await asyncio.gather(first.stop(0), second.stop(0))


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.1, 3.999999999, 86_400.5, -2.25])
def test_durations_keep_their_value_to_the_nanosecond(value):
    assert seconds(duration(value)) == pytest.approx(value, abs=1e-9)
    assert isinstance(duration(value), Duration)


def test_what_a_service_is_made_of_is_left_alone_by_the_collector():
    before = gc.get_freeze_count()
    try:
        lifecycle.settle()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
