"""The page on security: its commands run, and what they write is what the router reads.

Its certificates are made as cert-manager would make them, and parts of a cluster accept them.
"""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from argus_core.spec_kubernetes import InternalTls
from argus_rpc.channel import open_channel
from argus_rpc.keys import CONTROL, digest, parse_keys
from argus_rpc.peers import Peers, host_of
from argus_rpc.server import Server

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def test_keys_are_made_as_the_page_says_and_open_what_they_are_for(tmp_path):
    (commands,) = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    shown = re.findall(r"argus-\S+", done.stderr)
    tenants = parse_keys((tmp_path / "keys").read_text())
    assert [tenants[digest(key)] for key in shown] == ["shop", CONTROL]
    assert not any(key in (tmp_path / "keys").read_text() for key in shown)


def documents():
    """Of the page's YAML, but for the settings of routers."""
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        yield from yaml.safe_load_all(block)


USAGES = {
    "server auth": x509.ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": x509.ExtendedKeyUsageOID.CLIENT_AUTH,
}
PEM = serialization.Encoding.PEM


class Issuer:
    """What cert-manager's issuer of the type `ca` does, of the fields that the page uses."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "argus-internal")])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        made = self._begun(self._name, self._key).add_extension(basic, critical=True)
        self._ca = made.sign(self._key, hashes.SHA256()).public_bytes(PEM)

    def _begun(self, subject, key):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    def secret(self, folder, spec):
        """The entries of the Secret, as files."""
        known = {"secretName", "issuerRef", "dnsNames", "usages"}
        assert spec.keys() == known
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in spec["dnsNames"]])
        uses = [USAGES[use] for use in spec["usages"] if use in USAGES]
        made = self._begun(x509.Name([]), key).add_extension(names, critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        folder.mkdir()
        chain = made.sign(self._key, hashes.SHA256()).public_bytes(PEM)
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / "tls.crt").write_bytes(chain)
        (folder / "tls.key").write_bytes(key.private_bytes(PEM, *private))
        (folder / "ca.crt").write_bytes(self._ca)
        return folder


async def test_certificates_of_the_page_are_such_that_parts_and_operator_accept_each_other(
    tmp_path,
):
    found = list(documents())
    (within,) = [d["spec"]["internalTls"] for d in found if "internalTls" in d["spec"]]
    certificates = [d for d in found if d.get("kind") == "Certificate"]
    part, operator = certificates
    issuer, host = Issuer(), host_of("studio", part["metadata"]["namespace"])
    assert InternalTls.model_validate(within).secret_name == part["spec"]["secretName"]
    assert {d["spec"]["issuerRef"]["name"] for d in certificates} == {"argus-internal"}
    parts = Peers(issuer.secret(tmp_path / "part", part["spec"]), host)
    others = [parts, Peers(issuer.secret(tmp_path / "operator", operator["spec"]), host)]
    server = Server(
        address="127.0.0.1:0", servicers=[], services=["any"], credentials=parts.asked()
    )
    address = f"127.0.0.1:{await server.start()}"
    try:
        for peers in others:
            async with open_channel(address, peers) as channel:
                health = health_pb2_grpc.HealthStub(channel)
                await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        # The usage that the page tells of is one without which a part cannot call.
        lacking = {**part["spec"], "usages": ["server auth"]}
        mute = Peers(issuer.secret(tmp_path / "mute", lacking), host)
        async with open_channel(address, mute) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.aio.AioRpcError):
                await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
    finally:
        await server.stop(0)
