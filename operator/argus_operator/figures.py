"""Which figures a cluster's levels have: those of its profile, where it names a sound one.

A profile that is gone, spoilt or of other levels changes nothing: what was in force before stays,
be it this process's last good profile or what the one before it told the services. Only where
there is neither, the document's own figures serve, or guesses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from argus_core.errors import ArgusError, InvalidRequest
from argus_core.profile.applying import apply, measured_ladder
from argus_core.profile.document import ArgusProfile, ProfiledLevel, parse_profile
from argus_core.spec import ArgusCluster, ClusterSpec, parse_cluster, with_ladder
from argus_operator.conditions import Condition, ConditionType, FiguresReason
from argus_operator.gateway import Gateway, Object
from argus_operator.kinds import CONFIG_MAP
from argus_operator.objects.document import DOCUMENT


class Figures:
    """Of one cluster."""

    def __init__(self, gateway: Gateway, namespace: str, *, told: Object | None) -> None:
        """`told` is the ConfigMap that services read when this process began; None for none."""
        self._gateway, self._namespace = gateway, namespace
        self._told = _spec_of(told)
        self._good: ArgusProfile | None = None
        self._read: tuple[str, ArgusProfile | InvalidRequest] | None = None
        """The profile that was read last, by its version."""

    async def of(self, cluster: ArgusCluster, *, automatic: bool) -> tuple[ArgusCluster, Condition]:
        """The cluster with its levels' figures, and whether they are as the document wants them.

        Args:
            cluster: as the document says.
            automatic: whether the document leaves its ladder to Argus.
        """
        source = cluster.spec.profile
        if source is None:
            return cluster, _guessed() if automatic else _stated()
        name = source.config_map_name
        if name is None:
            why = "spec.profile.configMapName: needed in Kubernetes, where there is no file"
            return self._as_before(cluster, FiguresReason.MISSING, why, automatic=automatic)
        found = await self._gateway.find(CONFIG_MAP, self._namespace, name)
        text = (found or {}).get("data", {}).get(source.key)
        if found is None or text is None:
            what = "has no" if found else "is missing, and with it its"
            why = f"ConfigMap {name} {what} entry {source.key}"
            return self._as_before(cluster, FiguresReason.MISSING, why, automatic=automatic)
        try:
            profile = self._profile(found["metadata"], source.key, text)
            taken = _taken(cluster, profile, automatic=automatic)
        except InvalidRequest as error:
            why = f"{source.key} of ConfigMap {name}: {error}"
            return self._as_before(cluster, FiguresReason.REFUSED, why, automatic=automatic)
        self._good = profile
        told = f"{len(taken.spec.ladder)} levels as {source.key} of ConfigMap {name} measured them"
        return taken, _condition(FiguresReason.APPLIED, told, holds=True)

    def _profile(self, meta: dict[str, Any], key: str, text: str) -> ArgusProfile:
        """Read once for every version: it may be long."""
        version = f"{meta['uid']}/{meta['resourceVersion']}/{key}"
        if self._read is None or self._read[0] != version:
            self._read = version, _parsed(text)
        if isinstance(self._read[1], InvalidRequest):
            raise self._read[1]
        return self._read[1]

    def _as_before(
        self,
        cluster: ArgusCluster,
        reason: FiguresReason,
        why: str,
        *,
        automatic: bool,
    ) -> tuple[ArgusCluster, Condition]:
        for standing in self._standing(cluster, automatic=automatic):
            told = f"{why}; the levels keep the figures that they had"
            return standing, _condition(reason, told, holds=False)
        instead = "guessed" if automatic else "those that the document states"
        return cluster, _condition(reason, f"{why}; the levels' figures are {instead}", holds=False)

    def _standing(self, cluster: ArgusCluster, *, automatic: bool) -> Iterator[ArgusCluster]:
        """With what was in force, as far as that is of these levels."""
        if self._good is not None:
            with suppress(InvalidRequest):
                yield _taken(cluster, self._good, automatic=automatic)
        if self._told is not None and _alike(cluster.spec, self._told, automatic=automatic):
            yield with_ladder(cluster, self._told.ladder)


def _taken(cluster: ArgusCluster, profile: ArgusProfile, *, automatic: bool) -> ArgusCluster:
    return measured_ladder(cluster, profile) if automatic else apply(cluster, profile)


def _alike(now: ClusterSpec, before: ClusterSpec, *, automatic: bool) -> bool:
    """Whether what services were told has the levels of this document, for its devices."""
    types = {pool.gpu_type for pool in now.pools}
    if any(types - level.seconds.keys() for level in before.ladder):
        return False
    if automatic:
        variants = {level.variant for level in before.ladder}
        return variants == {variant.name for variant in now.variants}
    levels = ([ProfiledLevel.of(level) for level in spec.ladder] for spec in (now, before))
    return next(levels) == next(levels)


def _parsed(text: str) -> ArgusProfile | InvalidRequest:
    try:
        return parse_profile(json.loads(text))
    except ValueError as error:
        return InvalidRequest.one("profile", f"must be JSON: {error}")
    except InvalidRequest as error:
        return error


def _spec_of(told: Object | None) -> ClusterSpec | None:
    if told is None:
        return None
    try:
        return parse_cluster(yaml.safe_load(told["data"][DOCUMENT])).spec
    except (ArgusError, yaml.YAMLError, LookupError, TypeError):
        return None


def _stated() -> Condition:
    told = "the levels' figures are those that the document states"
    return _condition(FiguresReason.STATED, told, holds=True)


def _guessed() -> Condition:
    told = "the ladder was left out: its levels' figures are guessed until a profile is given"
    return _condition(FiguresReason.GUESSED, told, holds=None)


def _condition(reason: FiguresReason, message: str, *, holds: bool | None) -> Condition:
    return Condition(
        type=ConditionType.PROFILE_CURRENT, holds=holds, reason=reason, message=message
    )
