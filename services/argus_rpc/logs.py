"""What a service says, a line each: to be read by people, or as JSON by machines.

Every line that is said on behalf of a request names it, wherever it is said.
"""

from __future__ import annotations

import logging
import os
import sys
from contextvars import Context, ContextVar, copy_context

from argus_core.errors import InvalidRequest

FORMAT, LEVEL = "ARGUS_LOG_FORMAT", "ARGUS_LOG_LEVEL"
"""Environment variables: `text` or `json`; `DEBUG` to `ERROR`."""
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(of)s"
_FIELDS = {"levelname": "level", "name": "logger"}

_request: ContextVar[str] = ContextVar("request", default="")


def setup() -> None:
    """Say everything on standard error, as the environment asks for.

    Raises:
        InvalidRequest: it asks for what there is not.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_name_request)
    handler.setFormatter(_formatter(os.environ.get(FORMAT, "text")))
    logging.basicConfig(level=_level(os.environ.get(LEVEL, "INFO")), handlers=[handler])


def naming(request_id: str) -> Context:
    """The present context, but that whatever is said in it names this request."""
    context = copy_context()
    context.run(_request.set, request_id)
    return context


def _level(name: str) -> str:
    if name.upper() not in logging.getLevelNamesMapping():
        raise InvalidRequest.one(LEVEL, f"must be one of DEBUG, INFO, WARNING, ERROR, is {name!r}")
    return name.upper()


def _formatter(name: str) -> logging.Formatter:
    if name == "text":
        return logging.Formatter(_TEXT)
    if name != "json":
        raise InvalidRequest.one(FORMAT, f"must be text or json, is {name!r}")
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - of those who ask for it

    formatter: logging.Formatter = JsonFormatter(
        "%(levelname)s %(name)s %(message)s %(request_id)s",
        rename_fields=_FIELDS,
        timestamp="time",
    )
    return formatter


def _name_request(record: logging.LogRecord) -> bool:
    request_id = _request.get()
    record.__dict__["request_id"] = request_id
    record.__dict__["of"] = f" (request {request_id})" if request_id else ""
    return True
