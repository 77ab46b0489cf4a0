"""Files that stand for the Secrets that a document names, where there is no Kubernetes."""

import json

import pytest

from argus_cli.local import targets
from argus_cli.local.guarded import guarded
from argus_core.errors import InvalidRequest
from argus_rpc.keys import KeyRing
from operator_support import cluster_of

CLOSED = {"tls": {"secretName": "cert", "clientCertificates": True}, "apiKeys": {"secretName": "k"}}


def secrets(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("")
    return folder


def whole(folder):
    return secrets(folder, "cert/tls.crt", "cert/tls.key", "cert/ca.crt", "k/keys")


def test_a_router_is_closed_by_the_files_of_its_secrets(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    found = guarded(cluster_of(router=CLOSED), whole(tmp_path), own)
    options = found.router()
    pairs = list(zip(options[::2], options[1::2], strict=True))
    assert pairs == [
        ("--tls-cert", str(tmp_path / "cert/tls.crt")),
        ("--tls-key", str(tmp_path / "cert/tls.key")),
        ("--tls-client-ca", str(tmp_path / "cert/ca.crt")),
        ("--keys", str(tmp_path / "k/keys")),
        ("--keys", str(own / "keys")),
    ]
    assert (own / "keys").stat().st_mode & 0o077 == 0
    ring = KeyRing(own / "keys")
    assert ring.holder(found.reach.control_key) == "_control_"
    assert ring.holder(found.api_key) == "argus-up"
    assert found.reach.tls.server_name == "demo-router.here.svc"
    assert found.reach.tls.certificate == tmp_path / "cert/tls.crt"
    assert "--api-key KEY" in found.hint
    assert found.fields == ["router.tls", "router.apiKeys"]


def test_all_parts_have_the_certificate_of_their_secret_and_so_has_the_control_loop(tmp_path):
    closed = {"internalTls": {"secretName": "within"}}
    folder = secrets(tmp_path, "within/tls.crt", "within/tls.key", "within/ca.crt")
    found = guarded(cluster_of(**closed), folder, tmp_path)
    assert found.internal == ["--internal-tls", str(folder / "within")]
    assert found.fields == ["internalTls"]
    peers = found.reach.peers
    assert (peers.folder, peers.name) == (folder / "within", "demo-internal.here.svc")
    assert found.reach.peers is peers  # Its files are followed once.
    (folder / "within/ca.crt").unlink()
    with pytest.raises(InvalidRequest, match="spec.internalTls.secretName.*ca.crt"):
        guarded(cluster_of(**closed), folder, tmp_path)
    assert guarded(cluster_of(**closed), None, tmp_path).reach.peers is None


def test_a_certificate_that_signed_itself_is_its_own_authority(tmp_path):
    tls = {"tls": {"secretName": "cert"}}
    folder = secrets(tmp_path, "cert/tls.crt", "cert/tls.key")
    found = guarded(cluster_of(router=tls), folder, tmp_path)
    assert (found.tls.ca, found.tls.certificate) == (folder / "cert/tls.crt", None)
    assert found.reach.control_key == ""


@pytest.mark.parametrize("folder", [None, "nowhere"])
def test_without_files_it_is_open(tmp_path, folder):
    found = guarded(cluster_of(router=CLOSED), folder and tmp_path / folder, tmp_path)
    assert (found.router(), found.console(), found.fields, found.hint) == ([], [], [], "")
    assert (found.tls, found.api_key) == (None, "")


def test_what_a_secrets_folder_lacks_is_named(tmp_path):
    folder = secrets(tmp_path, "cert/tls.crt")
    with pytest.raises(InvalidRequest, match="spec.router.tls.secretName.*tls.key, ca.crt"):
        guarded(cluster_of(router=CLOSED), folder, tmp_path)


def test_a_router_with_a_certificate_is_scraped_by_https(tmp_path):
    path = tmp_path / "targets.json"
    targets.write(path, "demo", {"router": "https://127.0.0.1:8", "cpu-0": "127.0.0.1:9"})
    router, worker = json.loads(path.read_text())
    assert (router["targets"], router["labels"]["__scheme__"]) == (["127.0.0.1:8"], "https")
    assert worker["targets"] == ["127.0.0.1:9"]
    assert "__scheme__" not in worker["labels"]
