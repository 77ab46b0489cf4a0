"""What the operator is told when it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argus_core.errors import InvalidRequest
from argus_rpc.keys import new_key


@dataclass(frozen=True, kw_only=True)
class Images:
    """Of the pods that the operator makes; documents may say otherwise in a pod template."""

    worker: str = "argus/worker:latest"
    router: str = "argus/router:latest"
    predictor: str = "argus/predictor:latest"
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where the parts listen within their pods."""

    worker: int = 9000
    worker_metrics: int = 9001
    worker_probe: int = 9002
    router_grpc: int = 8000
    router_http: int = 8080
    router_probe: int = 8081
    predictor: int = 9100
    predictor_metrics: int = 9101
    predictor_probe: int = 9102


@dataclass(frozen=True, kw_only=True)
class Settings:
    """See the fields; times in seconds."""

    images: Images = Images()
    ports: Ports = Ports()
    namespaces: tuple[str, ...] = ()
    """Whose ArgusClusters are served; none for all of them."""
    identity: str = "argus-operator"
    """Of this process, as the lease names its holder."""
    lease: str = "argus-operator"
    """The Lease's name."""
    lease_namespace: str = "default"
    health_port: int = 8080
    metrics_port: int = 9090
    resync: float = 900.0
    """Every object is looked at so often, whatever has been heard of it."""
    control_key: str = field(default_factory=new_key, repr=False)
    """With which it speaks to routers that ask for API keys; they are told its digest. Made anew
    for every process, where none is given."""
    routers_tls: Path | None = None
    """Folder with `ca.crt`, whom to trust as routers, and `tls.crt` and `tls.key`, the operator's
    own certificate for those that ask for one. None trusts gRPC's list of public authorities."""
    workers_tls: Path | None = None
    """Folder with the same, for workers of clusters with `internalTls`. None: there are none that
    it could speak with."""


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """As the chart's Deployment sets them.

    Raises:
        InvalidRequest: the file of the control key cannot be read.
    """
    known = Images()
    tls, key = environment.get("ARGUS_ROUTERS_TLS"), environment.get("ARGUS_CONTROL_KEY_FILE")
    workers = environment.get("ARGUS_WORKERS_TLS")
    return Settings(
        images=Images(
            worker=environment.get("ARGUS_WORKER_IMAGE", known.worker),
            router=environment.get("ARGUS_ROUTER_IMAGE", known.router),
            predictor=environment.get("ARGUS_PREDICTOR_IMAGE", known.predictor),
            pull_policy=environment.get("ARGUS_IMAGE_PULL_POLICY", known.pull_policy),
        ),
        identity=environment.get("POD_NAME", f"pid-{os.getpid()}"),
        lease=environment.get("ARGUS_LEASE", "argus-operator"),
        lease_namespace=environment.get("POD_NAMESPACE", "default"),
        control_key=_read(Path(key)) if key else new_key(),
        routers_tls=Path(tls) if tls else None,
        workers_tls=Path(workers) if workers else None,
    )


def _read(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest.one("ARGUS_CONTROL_KEY_FILE", f"{path}: {error}") from error
    if not key:
        raise InvalidRequest.one("ARGUS_CONTROL_KEY_FILE", f"{path}: is empty")
    return key
