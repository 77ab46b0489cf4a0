"""A cluster's document with a profile's figures in it."""

from __future__ import annotations

from collections.abc import Iterator

from argus_core.batching import measured
from argus_core.errors import InvalidRequest, Violation
from argus_core.profile.document import ArgusProfile, ProfiledLevel
from argus_core.profile.figures import priors
from argus_core.spec import ArgusCluster, ClusterSpec, Level, with_ladder


def apply(cluster: ArgusCluster, profile: ArgusProfile) -> ArgusCluster:
    """The cluster with measured seconds and batches, by GPU type, and qualities of its levels.

    Seconds are those of one image alone at the cluster's default size. What the document says of
    GPU types that the profile has not measured stays; so does the quality of a level with skipped
    steps of which no start was measured.

    Raises:
        InvalidRequest: the profile is of other levels, or was not measured on any of the pools'
            devices at that size; all that is wrong is named.
    """
    spec = cluster.spec
    if problems := list(_problems(spec, profile)):
        raise InvalidRequest(problems)
    prior = priors(profile)
    judged = {*profile.full_levels, *(start.level for start in profile.starts)}
    ladder = tuple(
        level.model_copy(
            update={
                "seconds": {**level.seconds, **seconds_of(profile, level, size_of(spec))},
                "batches": {**level.batches, **batches_of(profile, level, size_of(spec))},
                "quality": prior[level.name] if level.name in judged else level.quality,
            }
        )
        for level in spec.ladder
    )
    return with_ladder(cluster, ladder)


def measured_ladder(cluster: ArgusCluster, profile: ArgusProfile) -> ArgusCluster:
    """The cluster with the profile's levels of its variants, and their figures.

    Those with skipped steps only where there is a latent store, and where a start was measured.

    Raises:
        InvalidRequest: a variant has no level that was measured on the devices of all pools, at the
            cluster's default size.
    """
    spec, known = cluster.spec, priors(profile)
    types = {pool.gpu_type for pool in spec.pools}
    judged = set(profile.full_levels)
    if spec.latent_store is not None:
        judged |= {start.level for start in profile.starts}
    ladder = []
    for level in profile.ladder:
        seconds = seconds_of(profile, level, size_of(spec))
        if level.name in judged and types <= seconds.keys():
            figures = {
                "quality": known[level.name],
                "seconds": seconds,
                "batches": batches_of(profile, level, size_of(spec)),
            }
            ladder.append(Level.model_validate({**level.model_dump(), **figures}))
    found = {level.variant for level in ladder}
    if missing := [v.name for v in spec.variants if v.name not in found]:
        where = f"on {', '.join(sorted(types))} at {size_of(spec)}, one at once"
        problem = f"the profile has no level of {', '.join(missing)} {where}"
        raise InvalidRequest.one("ladder", problem)
    names = {variant.name for variant in spec.variants}
    return with_ladder(cluster, (level for level in ladder if level.variant in names))


def size_of(spec: ClusterSpec) -> str:
    """The default size as profiles write it."""
    return f"{spec.default_size.width}x{spec.default_size.height}"


def seconds_of(profile: ArgusProfile, level: Level | ProfiledLevel, size: str) -> dict[str, float]:
    """Seconds of one image alone, by GPU type that it was measured on."""
    return {gpu: found[1] for gpu, found in _timings(profile, level, size).items()}


def batches_of(
    profile: ArgusProfile, level: Level | ProfiledLevel, size: str
) -> dict[str, tuple[float, ...]]:
    """What several at once take, by GPU type that any were measured on."""
    timings = _timings(profile, level, size)
    return {gpu: measured(found) for gpu, found in timings.items() if len(found) > 1}


def _timings(
    profile: ArgusProfile, level: Level | ProfiledLevel, size: str
) -> dict[str, dict[int, float]]:
    """By GPU type that one alone was measured on: seconds per image by the number at once."""
    found = {
        gpu: {
            images: timing.seconds
            for images, timing in device.timings.get(level.name, {}).get(size, {}).items()
        }
        for gpu, device in profile.devices.items()
    }
    return {gpu: by_images for gpu, by_images in found.items() if 1 in by_images}


def _problems(spec: ClusterSpec, profile: ArgusProfile) -> Iterator[Violation]:
    known = {level.name: level for level in profile.ladder}
    types = dict.fromkeys(pool.gpu_type for pool in spec.pools)
    for level in spec.ladder:
        field = f"ladder[{level.name}]"
        if level.name not in known:
            yield Violation(field, f"the profile has only {', '.join(known)}")
        elif known[level.name] != (wanted := ProfiledLevel.of(level)):
            said = known[level.name].model_dump(by_alias=True)
            yield Violation(field, f"was {said}, is {wanted.model_dump(by_alias=True)}")
        elif not seconds_of(profile, level, size_of(spec)).keys() & types.keys():
            problem = f"has no time on {', '.join(types)} at {size_of(spec)}, one at once"
            yield Violation(field, problem)
