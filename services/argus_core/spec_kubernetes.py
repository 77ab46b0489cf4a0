"""What of the document only Kubernetes heeds; `argus up` lets it pass.

The operator gives these fields their meaning, see docs/resource.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from argus_core.pricing import SHED_LOSS
from argus_core.spec_model import Model, Share

ObjectName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
]
"""Of an object of the cluster's namespace, such as a PersistentVolumeClaim or a Secret."""
Path = Annotated[str, Field(min_length=2, max_length=1024, pattern=r"^/[^:]+$")]
"""Absolute, within a container."""
ResourceName = Annotated[
    str, Field(max_length=253, pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+)?$")
]
"""An extended resource, such as `nvidia.com/gpu`; empty for none."""
Text = Annotated[str, Field(max_length=4096)]


class PodMetadata(Model):
    """Labels and annotations that are added; Argus's own stay."""

    labels: Annotated[dict[str, Text], Field(max_length=64)] = Field(default_factory=dict)
    annotations: Annotated[dict[str, Text], Field(max_length=64)] = Field(default_factory=dict)


class PodTemplate(Model):
    """Laid over the pods that Argus makes, by the rules of server-side apply.

    Maps are merged, lists with keys are merged by them (containers by name), and whatever else is
    given replaces what was there.
    """

    metadata: PodMetadata = PodMetadata()
    spec: dict[str, Any] = Field(default_factory=dict)
    """Fields of a PodSpec; the API server checks them when the pods' owner is applied."""


class ModelVolume(Model):
    """A volume with models, mounted read-only in every worker."""

    claim_name: ObjectName
    mount_path: Path = "/models"


class RouterTls(Model):
    """The routers' certificate."""

    secret_name: ObjectName
    """Of a Secret: `tls.crt`, `tls.key`, and `ca.crt` where clients need certificates."""
    client_certificates: bool = False
    """Whether clients need certificates that the Secret's `ca.crt` has signed: mutual TLS."""


class ApiKeys(Model):
    """Who may ask the routers."""

    secret_name: ObjectName
    """Of a Secret whose `keys` is a file of API keys, as `argus key new` writes it."""


class InternalTls(Model):
    """The certificate that routers, workers and the predictor show each other."""

    secret_name: ObjectName
    """Of a Secret: `tls.crt` and `tls.key`, and `ca.crt`, of whose authorities all must be."""


class CompileVolume(Model):
    """A volume where workers keep what they compiled, so that a new pod need not do it again.

    Whoever can write to it can run what they like in the workers.
    """

    claim_name: ObjectName


class PlanningRules(Model):
    """Who decides what the workers hold, how often, and what for."""

    mode: Literal["automatic", "advisory", "off"] = "automatic"
    """`automatic` follows the plan, `advisory` only shows it, `off` makes none."""
    interval_seconds: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """Between two looks at the load."""
    steady_seconds: Annotated[float, Field(ge=1, le=86_400)] = 180.0
    """A load that has fallen is planned for when it has been low for so long."""
    minimum_gain: Share = 0.005
    """What a new plan must gain over the one in force, in mean quality over all requests."""
    minimum_gain_after_change: Share = 0.03
    """What it must gain within four intervals of a change."""
    shed_loss: Annotated[float, Field(gt=1, le=10_000)] = SHED_LOSS
    """What refusing a request costs, in quality: more than any picture is worth, so that a cheap
    one always beats none."""


class Observability(Model):
    """What is made for those who watch."""

    pod_monitor: bool = False
    """Whether a PodMonitor of the Prometheus operator is made; its kind must be installed."""
    monitor_secret_name: ObjectName | None = None
    """Of a Secret by which Prometheus knows routers that have certificates, `ca.crt`, and which it
    shows to those that want to see one, `tls.crt` and `tls.key`."""
