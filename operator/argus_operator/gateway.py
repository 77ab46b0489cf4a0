"""The one way to the API server; nothing else imports its client.

Objects are plain dicts. Whatever goes wrong is a leaf of `argus_core.errors`, or one of those
here, which a caller can do something about. Who is told to ask again later does, a stated number
of times at most.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config
from prometheus_client import Counter

from argus_core.errors import ArgusError, NotFound, Unavailable
from argus_operator.kinds import Kind, kind_of
from argus_operator.names import FIELD_MANAGER
from argus_operator.outage import Outage

Object = dict[str, Any]

_TIMEOUT = 10.0
"""Seconds that the API server may take to answer."""
_SILENT = 150.0
"""Seconds without a word after which a watch is taken for broken: a bookmark comes each minute."""
_PAGE = 500
"""Objects that are asked for at once."""
_TRIES = 3
"""Times that a request is made at most whose asker is told to wait (429)."""
_UNSAID, _LONGEST = 1.0, 10.0
"""Seconds that one waits who is told to and not for how long; and at most, within a request."""
_AWAY = (401, 429, 502, 503, 504)
"""What an API server says that cannot answer anybody; a 500 may be of one object alone."""
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class Refused(ArgusError):
    """The API server will not have it; only another object, or other rights, will do."""

    code = "FAILED_PRECONDITION"


class Conflict(ArgusError):
    """Somebody was quicker; look again."""

    code = "ABORTED"


class Away(Unavailable):
    """Nobody of this process is answered, whatever is asked; `Gateway.outage` tells of it."""

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        """`after`: seconds before which it wants nothing more to be asked."""
        super().__init__(message)
        self.after = after


class Gateway:
    """Use as `async with await Gateway.connect()`; for one event loop."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self.requests: Counter | None = None
        """Counts requests by method and kind."""
        self.throttled: Counter | None = None
        """Counts, by kind, those of them that were put off."""
        self.outage = Outage()
        """Hears of every request whether it was answered."""
        self.may_write: Callable[[], bool] = lambda: True
        """Asked before anything is written; where it says no, nothing is."""

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, *, connections: int = 100) -> Self:
        """By a kubeconfig, or else the pod's own account, or else as kubectl would.

        `connections` is how many there may be at once; 0 for any number.
        """
        settings = client.Configuration()
        try:
            if kubeconfig is not None:
                raise config.ConfigException("a kubeconfig was given")
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            await config.load_kube_config(kubeconfig, client_configuration=settings)  # type: ignore[no-untyped-call]
        # Else aiohttp has a thread read ~/.netrc, and another the environment's proxies, for every
        # request: of the few threads in which plans are made, so that a lease would wait for those.
        settings.connection_pool_maxsize = connections
        settings.client_session_kwargs = {"trust_env": False}
        return cls(client.ApiClient(settings))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as it is; None where there is none."""
        try:
            return await self._call("GET", kind, kind.path(namespace, name))
        except NotFound:
            return None

    async def list(
        self, kind: Kind, namespace: str | None, *, selector: str = "", fields: str = ""
    ) -> list[Object]:
        """All objects of a kind that the labels and the fields select, asked for live."""
        pages = self.pages(kind, namespace, selector=selector, fields=fields)
        return [thing async for _, things in pages for thing in things]

    async def pages(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        selector: str = "",
        fields: str = "",
        page: int = _PAGE,
    ) -> AsyncGenerator[tuple[str, Sequence[Object]]]:
        """The same by so many at once, with the version from which on a watch tells the rest."""
        # In a list the API server leaves out of which kind each object is.
        of_kind = {"apiVersion": kind.api_version, "kind": kind.name}
        token = ""
        while True:
            asked = {
                "labelSelector": selector,
                "fieldSelector": fields,
                "limit": str(page),
                "continue": token,
            }
            query = {key: value for key, value in asked.items() if value}
            found = await self._call("GET", kind, kind.path(namespace), query=query)
            meta = found.get("metadata", {})
            yield (
                meta.get("resourceVersion", ""),
                [{**of_kind, **i} for i in found.get("items", [])],
            )
            token = meta.get("continue", "")
            if not token:
                return

    async def watch(
        self, kind: Kind, namespace: str | None, *, selector: str, version: str, lasts: int
    ) -> AsyncGenerator[tuple[str, Object]]:
        """What happens to objects after `version`, with `ADDED` and the like, for so many seconds.

        Raises:
            Away: the connection broke, or the API server does not answer.
            Unavailable: it will not tell.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": str(lasts),
        }
        path = kind.path(namespace)
        timeout = aiohttp.ClientTimeout(total=lasts + _TIMEOUT, sock_read=_SILENT)
        answer = await self._ask("GET", kind, path, query=query, timeout=timeout)
        try:
            if answer.status >= 400:
                raise _error(answer, f"watch {path}", await answer.read())
            async for line in answer.response.content:
                event = json.loads(line)
                yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Away(f"the watch of {path} broke: {error!r}") from error
        finally:
            answer.response.close()

    async def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """As `get`, for who may list objects of the kind but not get one."""
        return next(iter(await self.list(kind, namespace, fields=f"metadata.name={name}")), None)

    async def apply(self, thing: Object) -> Object:
        """Have an object say what `thing` says, whoever said otherwise; the rest of it is kept."""
        kind, meta = kind_of(thing), thing["metadata"]
        return await self._call(
            "PATCH",
            kind,
            kind.path(meta["namespace"], meta["name"]),
            body=thing,
            content=_APPLY,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
        )

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: Object, *, part: str | None = None
    ) -> Object:
        """Change what the patch names; null takes away.

        Raises:
            NotFound: there is no such object.
        """
        path = kind.path(namespace, name, part)
        return await self._call("PATCH", kind, path, body=patch, content=_MERGE)

    async def create(self, kind: Kind, namespace: str | None, thing: Object) -> Object:
        """Raises Conflict where there is one of this name."""
        return await self._call("POST", kind, kind.path(namespace), body=thing)

    async def replace(self, kind: Kind, namespace: str, name: str, thing: Object) -> Object:
        """Raises Conflict where it has changed since it was read."""
        return await self._call("PUT", kind, kind.path(namespace, name), body=thing)

    async def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str = "") -> None:
        """Gone is as good as deleted; `uid` spares another object of that name."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        try:
            await self._call("DELETE", kind, kind.path(namespace, name), body=body)
        except NotFound:
            return

    async def alive(self) -> None:
        """Raises Unavailable where the API server does not answer."""
        await self._call("GET", Kind("", "version", ""), "/version")

    async def _call(
        self,
        method: str,
        kind: Kind,
        path: str,
        *,
        body: Object | None = None,
        content: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Object:
        answer = await self._ask(method, kind, path, body=body, content=content, query=query)
        with self._answering():
            text = await answer.read()
        if answer.status >= 400:
            raise _error(answer, f"{method} {path}", text)
        answered: Object = json.loads(text)
        return answered

    async def _ask(self, method: str, kind: Kind, path: str, **how: Any) -> Any:
        """The answer, of which nothing but the head was read yet; asked for again where put off."""
        for left in reversed(range(_TRIES)):
            answer = await self._ask_once(method, kind, path, **how)
            if answer.status != 429:
                break
            if self.throttled is not None:
                self.throttled.labels(kind=kind.name).inc()
            pause = _put_off(answer.headers)
            if not left or pause > _LONGEST:
                break
            answer.response.release()
            # Never sooner than was asked, and not all of those at once who were put off at once.
            await asyncio.sleep(pause * random.uniform(1.0, 1.2))
        if answer.status in _AWAY:
            self.outage.failed(f"the API server answers {answer.status}")
        else:
            self.outage.answered()
        return answer

    async def _ask_once(
        self,
        method: str,
        kind: Kind,
        path: str,
        *,
        body: Object | None = None,
        content: str = "application/json",
        query: dict[str, str] | None = None,
        timeout: float | aiohttp.ClientTimeout = _TIMEOUT,
    ) -> Any:
        if method != "GET" and not self.may_write():
            raise Away(f"{method} {path}: not asked for, as the lease may be another's")
        if self.requests is not None:
            self.requests.labels(method=method, kind=kind.name).inc()
        with self._answering():
            serialized = await self._api.param_serialize(
                method, path, header_params={}, auth_settings=["BearerToken"]
            )
            _, url, headers, *_ = serialized
            headers = {**headers, "Content-Type": content, "Accept": "application/json"}
            url = f"{url}?{urlencode(query)}" if query else url
            return await self._api.call_api(method, url, headers, body, _request_timeout=timeout)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Whatever goes wrong with the connection meanwhile is Away."""
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = f"the API server does not answer: {error!r}"
            self.outage.failed(why)
            raise Away(why) from error


def _put_off(headers: Mapping[str, str]) -> float:
    """Seconds before which the API server wants nothing more to be asked."""
    said = headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else _UNSAID


def _error(answer: Any, what: str, text: bytes) -> ArgusError:
    status: int = answer.status
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        message = text.decode(errors="replace")[:500]
    if status == 404:
        return NotFound(f"{what}: {message}")
    if status == 409:
        return Conflict(message)
    if status in _AWAY:
        after = _put_off(answer.headers) if status == 429 else 0.0
        return Away(f"{what}: {status} {message}", after=after)
    if status >= 500:
        return Unavailable(f"{what}: {status} {message}")
    return Refused(message)
