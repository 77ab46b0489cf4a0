"""Parts of the ArgusCluster document about routers: tenants, and what is done about faults."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from argus_core.spec_model import Model, Seconds, Share


class Faults(Model):
    """What a router does about workers that fail, and prompts that fail them."""

    hang_factor: Annotated[float, Field(ge=1, le=1000)] = 3.0
    """A worker that tells nothing of an image for so many times what the image may well take is
    given up for it."""
    hang_floor_seconds: Seconds = 5.0
    """But not before so long."""
    quarantine_losses: Annotated[int, Field(ge=1, le=100)] = 2
    """Different workers that a prompt is lost with, one after the other, before it is refused."""
    quarantine_seconds: Seconds = 600.0
    """How long it is refused, and how long a loss is held against it."""
    eject_after: Annotated[int, Field(ge=1, le=1000)] = 3
    """Failures of a worker in a row before it gets nothing for a while."""
    eject_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Or the share of its last 20 attempts that failed, once it has had 10."""
    eject_seconds: Seconds = 10.0
    """How long; as many times as long as it was ejected lately."""
    max_ejected_share: Share = 0.5
    """Of the workers: how many may be ejected at once, though always one of several."""
    hedge: bool = True
    """Whether an image that a worker is late with is begun again elsewhere, where that pays."""


class Quota(Model):
    """What a tenant may have."""

    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    """Its share of worker time while others want it too, relative to theirs."""
    max_queued: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Its images waiting; more are refused. None: as the router's bound leaves room."""
    max_images_per_second: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Images that it may ask for in the long run, ten seconds of them at once."""
    max_seconds_per_second: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Seconds of worker time that it may use in a second in the long run, ten seconds of them at
    once."""


class Tenant(Quota):
    """A tenant that is named."""

    name: Annotated[
        str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
    ]
    """As its requests name it."""
