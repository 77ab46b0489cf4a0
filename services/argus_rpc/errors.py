"""Errors across the wire: canonical codes with google.rpc details, there and back.

The sender raises a leaf of `argus_core.errors`; the receiver catches the same leaf.
"""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from argus_core import errors
from argus_core.errors import ArgusError, InvalidRequest, Violation
from argus_rpc.convert import duration, seconds
from argus_rpc.handshake import explained

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""HTTP's status of an error by its canonical code; 500 for all others."""
_DETAILS_KEY = "grpc-status-details-bin"
_LEAVES: dict[str, type[ArgusError]] = {
    # The core's alone: a service's own leaves must not depend on what is imported here.
    leaf.code: leaf
    for leaf in ArgusError.__subclasses__()
    if leaf is not InvalidRequest and leaf.__module__ == errors.__name__
}


def to_status(error: ArgusError) -> status_pb2.Status:
    """The status that carries an error: its code, message, and details."""
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=str(error))
    if isinstance(error, InvalidRequest):
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.problem)
        status.details.append(_pack(bad))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo(retry_delay=duration(error.retry_after))
        status.details.append(_pack(retry))
    return status


def trailing_metadata(status: status_pb2.Status) -> tuple[tuple[str, bytes]]:
    """Where gRPC puts a status with details."""
    return ((_DETAILS_KEY, status.SerializeToString()),)


def from_rpc(error: grpc.RpcError) -> ArgusError:
    """The leaf that the other side raised; a bare code becomes the leaf of that code."""
    return from_status(error.code().name, explained(error.details() or ""), _status_of(error))


def from_status(code: str, message: str, status: status_pb2.Status | None) -> ArgusError:
    """The leaf of a canonical code, with what a status tells besides."""
    violations, retry_after = [], None
    for detail in status.details if status else ():
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad):
            violations = [Violation(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = seconds(retry.retry_delay)
    if code == "INVALID_ARGUMENT":
        return InvalidRequest(violations or [Violation("request", message)])
    if code == "CANCELLED":
        # Not by us, who would not hear of it: the other side has ended with calls under way.
        return errors.Unavailable(message or "the other side ended the call", retry_after=None)
    leaf = _LEAVES.get(code, ArgusError)
    rebuilt = leaf(message or code)
    if retry_after is not None or leaf is errors.Unavailable:
        rebuilt.retry_after = retry_after
    return rebuilt


def _pack(detail: error_details_pb2.BadRequest | error_details_pb2.RetryInfo) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def _status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    if not isinstance(error, grpc.aio.AioRpcError):
        return rpc_status.from_call(error)
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return None
