"""A request for images, whichever front it came by, and the check that both fronts share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from argus_core.errors import InvalidRequest, Violation
from argus_core.spec import ArgusCluster, ClusterSpec, ImageSize

MAX_TEXT_BYTES = 8192
MAX_COUNT = 10
MAX_SIDE = 8192
MAX_DEADLINE = 86_400.0
MAX_PREVIEWS = 3
_MAX_SEED = 2**64 - 1

TENANT = "argus-tenant"
"""The gRPC metadata and the HTTP header that name a request's tenant."""
NOBODY = "default"
"""The tenant of requests that name none."""
EVERYBODY = "_shared_"
"""The scope of latents that all tenants share; no tenant can have this name."""
TENANT_NAME = "[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"
_TENANT = re.compile(TENANT_NAME)


class Format(IntEnum):
    """Encoding of an image; the numbers of argus.v1.ImageFormat."""

    PNG = 1
    WEBP = 2
    JPEG = 3


class Band(IntEnum):
    """Priority, in the order of service."""

    HIGH = 1
    NORMAL = 2
    LOW = 3


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asks for; fields as in argus.v1.GenerateRequest, absent ones None."""

    prompt: str
    negative_prompt: str = ""
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    count: int = 1
    seed: int | None = None
    deadline: float | None = None
    """Seconds from arrival."""
    minimum_quality: float | None = None
    level: str | None = None
    band: Band | None = Band.NORMAL
    """None where the client sent a priority that there is not."""
    preview_every_steps: int = 0
    previews: int = 0
    """Of each image, at most, spread over its steps; for those who do not name the steps."""
    progress: bool = True
    """Whether to tell of steps that no preview comes with."""
    format: Format | None = Format.PNG
    """None where the client sent a format that there is not."""
    explain: bool = False
    tenant: str = NOBODY
    """Whose it is."""

    @property
    def identity(self) -> int:
        """By which it is known when its client sends it again, with another deadline perhaps."""
        asked = (self.prompt, self.negative_prompt, self.size, self.count, self.seed, self.level)
        return hash((*asked, self.minimum_quality, self.band, self.format, self.tenant))

    def preview_steps(self, steps: int, skipped: int) -> int:
        """With every so many steps comes a preview, of `steps` of which `skipped` are; 0: none.

        The last step's is no preview: the image itself comes with it.
        """
        if not self.previews:
            return self.preview_every_steps
        apart = range(steps - skipped, 1, -1)
        fits = (n for n in apart if (steps - 1) // n - skipped // n >= self.previews)
        return next(fits, 1)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A request with the cluster's defaults filled in."""

    request: Request
    size: ImageSize
    minimum_quality: float
    deadline: float
    """Seconds from arrival."""
    band: Band
    format: Format


def scope_of(tenant: str, spec: ClusterSpec) -> str:
    """Whose latents a tenant's requests read and keep."""
    return EVERYBODY if spec.latent_store and spec.latent_store.shared else tenant


def agree(request: Request, cluster: ArgusCluster, *, call_deadline: float | None) -> Terms:
    """Check a request and fill in the cluster's defaults.

    Args:
        request: as the client sent it.
        cluster: the document that the router serves.
        call_deadline: seconds that the transport leaves; None where it does not tell.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    if violations := list(_violations(request, cluster)):
        raise InvalidRequest(violations)
    spec = cluster.spec
    told = [limit for limit in (request.deadline, call_deadline) if limit is not None]
    size = request.size
    quality = request.minimum_quality
    return Terms(
        request=request,
        size=spec.default_size if size is None else ImageSize(width=size[0], height=size[1]),
        minimum_quality=spec.slo.minimum_quality if quality is None else quality,
        deadline=min(told, default=spec.slo.deadline_seconds),
        band=request.band or Band.NORMAL,
        format=request.format or Format.PNG,
    )


def _violations(request: Request, cluster: ArgusCluster) -> Iterator[Violation]:
    if not request.prompt.strip():
        yield Violation("prompt", "must not be empty")
    yield from _too_long("prompt", request.prompt)
    yield from _too_long("negative_prompt", request.negative_prompt)
    for name, side in zip(("width", "height"), request.size or (), strict=False):
        if not 1 <= side <= MAX_SIDE:
            yield Violation(f"size.{name}", f"must be 1 to {MAX_SIDE} pixels")
    if not 1 <= request.count <= MAX_COUNT:
        yield Violation("count", f"must be 1 to {MAX_COUNT}")
    elif request.seed is not None and not 0 <= request.seed <= _MAX_SEED - request.count + 1:
        yield Violation("seed", "must be at least 0, and seed + count - 1 below 2^64")
    yield from _wrong_numbers(request)
    if request.band is None:
        yield Violation("priority", "must be one of low, normal and high")
    if request.format is None:
        yield Violation("format", "must be one of PNG, WebP and JPEG")
    if not _TENANT.fullmatch(request.tenant):
        yield Violation(TENANT, "must be 1 to 63 of a-z, 0-9, '.' and '-', ends alphanumeric")
    names = [level.name for level in cluster.spec.ladder]
    if request.level is not None and request.level not in names:
        there = f"there are {', '.join(names)}; leave it out, and Argus chooses"
        yield Violation("level", f"there is no such level; {there}")


def _wrong_numbers(request: Request) -> Iterator[Violation]:
    deadline, quality = request.deadline, request.minimum_quality
    if deadline is not None and not 0 < deadline <= MAX_DEADLINE:
        yield Violation("deadline", f"must be more than 0 and at most {MAX_DEADLINE:.0f} s")
    if quality is not None and (math.isnan(quality) or not 0 <= quality <= 1):
        yield Violation("minimum_quality", "must be 0 to 1")
    if request.preview_every_steps < 0:
        yield Violation("preview_every_steps", "must be at least 0")


def _too_long(field: str, text: str) -> Iterator[Violation]:
    if (size := len(text.encode())) > MAX_TEXT_BYTES:
        yield Violation(field, f"must be at most {MAX_TEXT_BYTES} bytes of UTF-8, is {size}")
