"""Hears what happens to objects of one kind, page by page and event by event.

Model: a list tells all there is, a watch what changes from then on; when the API server ends it,
the next goes on where it ended. Once the API server has forgotten that place, all is listed again,
and whoever hears is told which names there were: what was deleted meanwhile is told of by nobody.
No object is kept for longer than it takes to tell of it: all objects of a thousand clusters at once
would be most of a process's memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Set
from contextlib import aclosing

from argus_core.errors import Unavailable
from argus_operator.gateway import Gateway, Object, Refused
from argus_operator.kinds import Kind

log = logging.getLogger(__name__)

_PAGE = 100
"""Objects that are listed at once."""
_LASTS = 300
"""Seconds after which the API server is told to end a watch."""
_AT_ONCE = 1.0
"""Seconds that it should last at least."""

Hear = Callable[[str | None, Object], None]
"""Called with `ADDED`, `MODIFIED` or `DELETED`, or None for what a list tells, and the object."""
Listed = Callable[[Kind, str | None, Set[tuple[str, str]], str], None]
"""Called after a list with its kind and namespace, the namespace and name of every object that it
had, and its version: all that is told of by a watch is newer."""


class Watch:
    """See the module; take its `step` again and again."""

    def __init__(
        self,
        gateway: Gateway,
        kind: Kind,
        namespace: str | None,
        *,
        selector: str,
        hear: Hear,
        listed: Listed,
    ) -> None:
        """`namespace` None is all of them."""
        self._gateway, self._kind, self._namespace = gateway, kind, namespace
        self._selector, self._hear, self._listed = selector, hear, listed
        self.what = f"{kind.plural} of {namespace}" if namespace else kind.plural
        """In words."""
        self._version = ""
        """Up to which all was heard; empty where all is to be listed."""

    async def step(self) -> None:
        """List if need be, then hear until the API server ends it.

        Raises:
            ArgusError: it cannot be heard now.
        """
        fresh = not self._version
        if fresh:
            self._version = await self._list()
        began = time.monotonic()
        events = self._gateway.watch(
            self._kind,
            self._namespace,
            selector=self._selector,
            version=self._version,
            lasts=_LASTS,
        )
        try:
            async with aclosing(events):
                async for kind, thing in events:
                    self._take(kind, thing)
        except Refused as error:
            self._version = ""
            if fresh:
                raise
            log.info("%s; all are listed again", error)
            return
        if time.monotonic() - began < _AT_ONCE:
            raise Unavailable(f"{self.what}: the watch ended at once")

    def _take(self, kind: str, thing: Object) -> None:
        if kind == "ERROR":
            raise Refused(f"{self.what}: {thing.get('message', 'not told why')}")
        if kind != "BOOKMARK":
            self._hear(kind, thing)
        self._version = thing["metadata"]["resourceVersion"]

    async def _list(self) -> str:
        version, names = "", set[tuple[str, str]]()
        pages = self._gateway.pages(
            self._kind, self._namespace, selector=self._selector, page=_PAGE
        )
        async with aclosing(pages):
            async for version, things in pages:  # noqa: B007 - the last page's counts
                for thing in things:
                    names.add((thing["metadata"]["namespace"], thing["metadata"]["name"]))
                    self._hear(None, thing)
        self._listed(self._kind, self._namespace, names, version)
        return version
