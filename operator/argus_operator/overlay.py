"""Lays one object over another, by the rules of server-side apply for pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYS: Mapping[str, tuple[str, ...]] = {
    # Lists that are maps, with their keys, as the PodSpec declares them.
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "protocol"),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
}
_DEFAULTS = {"protocol": "TCP"}


def overlaid(below: Any, above: Any, field: str = "") -> Any:
    """`above` laid over `below`; neither is changed.

    Maps are merged, lists with keys by them (new entries come last), and null takes a field away.
    Anything else is replaced.
    """
    if isinstance(below, dict) and isinstance(above, dict):
        return _maps(below, above)
    if isinstance(below, list) and isinstance(above, list) and field in _KEYS:
        return _lists(below, above, _KEYS[field])
    return above


def _maps(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = overlaid(merged[key], value, key) if key in merged else value
    return merged


def _lists(below: list[Any], above: list[Any], keys: tuple[str, ...]) -> list[Any]:
    merged = {_key(entry, keys): entry for entry in below}
    for entry in above:
        key = _key(entry, keys)
        merged[key] = overlaid(merged[key], entry) if key in merged else entry
    return list(merged.values())


def _key(entry: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    if not isinstance(entry, dict):
        return (repr(entry),)  # The API server will say what is wrong with it.
    return tuple(entry.get(key, _DEFAULTS.get(key)) for key in keys)


def covers(live: Any, wanted: Any) -> bool:
    """Whether `live` says all that `wanted` says; it may say more.

    A list without entries says nothing: the API server keeps none.
    """
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            covers(live[key], value) if key in live else value == []
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) >= len(wanted)
            and all(
                any(covers(found, entry) for found in live)
                if isinstance(entry, dict)
                else entry in live
                for entry in wanted
            )
        )
    return bool(live == wanted)
