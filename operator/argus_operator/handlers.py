"""What kopf hears of ArgusClusters, passed on. Nothing is decided here.

Only `on.event`: no handler of ours that detects changes, so kopf leaves no annotation and no
finalizer on anything; a cluster's deletion never waits for the operator.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import kopf

from argus_operator.kinds import CLUSTER
from argus_operator.office import Office

_REQUEST = 10
"""Seconds that the API server may take to answer kopf."""
_WATCH = 300
"""Seconds after which a watch is begun anew."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Else kopf copies every object of every event, twice, for handlers that we do not have."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of an object is compared."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        """Nothing is known of before."""

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


def registry_of(office: Office) -> kopf.OperatorRegistry:
    """Kopf's handlers for this office."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.persistence.diffbase_storage = _NoDiffs()
        # It says of every event that it was heard.
        logging.getLogger("kopf.objects").setLevel(logging.WARNING)
        # Looking out for new kinds takes rights to all CRDs, and there is one kind of ours.
        settings.scanning.disabled = True
        settings.networking.request_timeout = _REQUEST
        settings.watching.server_timeout = _WATCH
        settings.watching.client_timeout = _WATCH + _REQUEST

    @kopf.on.login(registry=registry, retries=3)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(CLUSTER.plural, group="argus.dev", registry=registry)
    async def cluster(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        office.cluster(type, dict(body))

    return registry
