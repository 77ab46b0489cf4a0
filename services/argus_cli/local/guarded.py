"""A local cluster's certificate and API keys: files where Kubernetes has Secrets.

Where the document names a Secret, a folder of its name holds the entries as files, just as
Kubernetes mounts them: `secrets/studio-tls/tls.crt` beside the document. A Secret without a folder
is passed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from argus_client import Tls
from argus_control.lines import Reach
from argus_core.errors import InvalidRequest
from argus_core.spec import ArgusCluster
from argus_rpc.keys import CONTROL, line, new_key
from argus_rpc.peers import ENTRIES, Peers, host_of

_US = "argus-up"
"""The tenant as whom `argus up` asks whether all is ready, and its console what the cluster is."""


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """How a cluster's parts are closed, and how this process comes in."""

    certificate: Path | None = None
    """Folder of `tls.crt`, `tls.key` and perhaps `ca.crt`; None: it listens without."""
    asks: bool = False
    """Whether clients need certificates."""
    name: str = ""
    """The name that the certificate must have."""
    keys: Path | None = None
    """File of API keys; None: everybody may come in."""
    own: Path
    """Folder for our own keys, which only we may read."""
    api_key: str = ""
    control_key: str = ""
    internal_tls: Path | None = None
    """Folder of the certificate that parts show each other; None: they speak plainly."""
    internal_name: str = ""
    """The name that this must have."""

    @property
    def fields(self) -> list[str]:
        """Fields of the document that are heeded."""
        found = [
            ("router.tls", self.certificate),
            ("router.apiKeys", self.keys),
            ("internalTls", self.internal_tls),
        ]
        return [field for field, path in found if path is not None]

    @property
    def tls(self) -> Tls | None:
        """How to speak with the router; to one that wants to see a certificate we show its own."""
        if self.certificate is None:
            return None
        chain, key = self.certificate / "tls.crt", self.certificate / "tls.key"
        ca = self.certificate / "ca.crt"
        shown = {"certificate": chain, "key": key} if self.asks else {}
        # One that signed itself is its own authority.
        return Tls(ca=ca if ca.exists() else chain, server_name=self.name, **shown)

    @property
    def reach(self) -> Reach:
        """Of the control loop."""
        return Reach(control_key=self.control_key, tls=self.tls, peers=self.peers)

    @cached_property
    def peers(self) -> Peers | None:
        """How workers are met: with their own certificate."""
        return Peers(self.internal_tls, self.internal_name) if self.internal_tls else None

    @property
    def hint(self) -> str:
        """Options with which commands come in."""
        found, tls = "", self.tls
        if tls is not None:
            found += f" --ca {tls.ca} --server-name {tls.server_name}"
            if tls.certificate is not None:
                found += f" --certificate {tls.certificate} --key {tls.key}"
        return f"{found} --api-key KEY" if self.keys is not None else found

    @property
    def internal(self) -> list[str]:
        """Options of every part."""
        return ["--internal-tls", str(self.internal_tls)] if self.internal_tls else []

    def router(self) -> list[str]:
        """Options of the router alone."""
        found = []
        if self.certificate is not None:
            found += ["--tls-cert", str(self.certificate / "tls.crt")]
            found += ["--tls-key", str(self.certificate / "tls.key")]
            if self.asks:
                found += ["--tls-client-ca", str(self.certificate / "ca.crt")]
        if self.keys is not None:
            found += ["--keys", str(self.keys), "--keys", str(self._write("keys", self._lines()))]
        return found

    def console(self) -> list[str]:
        """Options of the console."""
        found, tls = [], self.tls
        if tls is not None:
            found += ["--router-ca", str(tls.ca), "--router-name", tls.server_name]
            if tls.certificate is not None:
                found += ["--router-cert", str(tls.certificate), "--router-cert-key", str(tls.key)]
        if self.keys is not None:
            found += ["--api-key-file", str(self._write("api-key", self.api_key))]
            found += ["--control-key-file", str(self._write("control-key", self.control_key))]
        return found

    def _lines(self) -> str:
        return f"{line(_US, self.api_key)}\n{line(CONTROL, self.control_key)}\n"

    def _write(self, name: str, text: str) -> Path:
        path = self.own / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(text)
        return path


def guarded(cluster: ArgusCluster, secrets: Path | None, own: Path) -> Guarded:
    """What the document wants of its router and between its parts, as far as there are files.

    Args:
        cluster: what the document says.
        secrets: where each Secret is a folder; None for nowhere.
        own: folder for our own keys.

    Raises:
        InvalidRequest: naming the files that a Secret's folder lacks.
    """
    router = cluster.spec.router
    tls, keys = router.tls, router.api_keys
    asks = tls is not None and tls.client_certificates
    entries = ["tls.crt", "tls.key", *(["ca.crt"] if asks else [])]
    certificate = _folder(secrets, tls.secret_name if tls else None, entries, "router.tls")
    within = cluster.spec.internal_tls
    internal = _folder(secrets, within.secret_name if within else None, [*ENTRIES], "internalTls")
    keyed = _folder(secrets, keys.secret_name if keys else None, ["keys"], "router.apiKeys")
    return Guarded(
        certificate=certificate,
        asks=asks,
        name=f"{cluster.metadata.name}-router.{cluster.metadata.namespace}.svc",
        keys=keyed / "keys" if keyed else None,
        own=own,
        api_key=new_key() if keyed else "",
        control_key=new_key() if keyed else "",
        internal_tls=internal,
        internal_name=host_of(cluster.metadata.name, cluster.metadata.namespace),
    )


def _folder(secrets: Path | None, name: str | None, entries: list[str], field: str) -> Path | None:
    """The folder of a Secret; None where there is none."""
    folder = secrets / name if secrets is not None and name is not None else None
    if folder is None or not folder.is_dir():
        return None
    if missing := list(_missing(folder, entries)):
        problem = f"{folder} has no {', '.join(missing)}"
        raise InvalidRequest.one(f"spec.{field}.secretName", problem)
    return folder.absolute()


def _missing(folder: Path, entries: list[str]) -> Iterator[str]:
    return (entry for entry in entries if not (folder / entry).is_file())
