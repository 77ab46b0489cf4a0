"""Reads a profile, and what it says to the planner and the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from argus_cli.qualities import Measured
from argus_core.errors import InvalidRequest, Violation
from argus_core.profile.applying import apply, measured_ladder
from argus_core.profile.document import ArgusProfile, parse_profile
from argus_core.profile.figures import qualities
from argus_core.spec import ArgusCluster

OPTION = "--profile"


def read_profile(path: Path, option: str = OPTION) -> ArgusProfile:
    """The profile in a file of JSON or YAML.

    Raises:
        InvalidRequest: naming the option, the file, and all that is wrong with it.
    """
    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        problem = f"{path}: {error.strerror or 'cannot be read'}"
        raise InvalidRequest.one(option, problem) from error
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidRequest.one(option, f"{path}: must be JSON, or YAML, in UTF-8") from error
    try:
        return parse_profile(document)
    except InvalidRequest as error:
        raise _of_file(option, path, error) from error


def applied(document: ArgusCluster, profile: ArgusProfile, path: Path) -> ArgusCluster:
    """The document with the profile's seconds and qualities.

    Raises:
        InvalidRequest: naming the option, and why the profile is not of this document.
    """
    try:
        return apply(document, profile)
    except InvalidRequest as error:
        raise _of_file(OPTION, path, error) from error


def profiled(cluster: ArgusCluster, path: Path, *, automatic: bool, option: str) -> ArgusCluster:
    """The cluster with the figures of the profile in a file.

    Args:
        cluster: what the document says.
        path: of the profile.
        automatic: whether the document leaves its ladder to Argus: then it is the profile's.
        option: that errors name.

    Raises:
        InvalidRequest: naming the option, the file, and all that is wrong with it.
    """
    profile = read_profile(path, option)
    try:
        return (measured_ladder if automatic else apply)(cluster, profile)
    except InvalidRequest as error:
        raise _of_file(option, path, error) from error


def measured_of(profile: ArgusProfile, levels: list[str]) -> Measured:
    """The profile's prompts, at these levels, all of which it has."""
    places = [[level.name for level in profile.ladder].index(name) for name in levels]
    rows = qualities(profile)
    return Measured(qualities=tuple(tuple(row[i] for i in places) for row in rows))


def switches_of(profile: ArgusProfile, gpu_types: Iterable[str]) -> dict[str, float]:
    """Seconds to load each variant that was measured, on the slowest of these GPU types."""
    found: dict[str, float] = {}
    for gpu in gpu_types:
        device = profile.devices.get(gpu)
        for variant, timing in device.switches.items() if device else ():
            found[variant] = max(found.get(variant, 0.0), timing.seconds)
    return found


def either(qualities: Path | None, profile: Path | None) -> None:
    """Refuse two sources of the same.

    Raises:
        InvalidRequest: naming `--qualities`.
    """
    if qualities is not None and profile is not None:
        raise InvalidRequest.one("--qualities", "must be left out where there is --profile")


def _of_file(option: str, path: Path, error: InvalidRequest) -> InvalidRequest:
    return InvalidRequest(
        [Violation(option, f"{path}: {v.field}: {v.problem}") for v in error.violations]
    )
