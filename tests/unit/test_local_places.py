"""Where a local cluster finds what its document names by a relative path."""

import pytest
import yaml

from argus_cli.document import load_document
from argus_cli.local.places import anchored, state_folder
from argus_core.spec import parse_cluster


def document(tmp_path, **spec):
    text, _ = load_document(None)
    plain = yaml.safe_load(text)
    plain["spec"] |= spec
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(plain))
    return load_document(tmp_path / "cluster.yaml")


def read(tmp_path, **spec):
    """What the services read of a document in `tmp_path`."""
    text, cluster = document(tmp_path, **spec)
    return parse_cluster(yaml.safe_load(anchored(text, cluster, tmp_path))), cluster


@pytest.mark.parametrize(
    ("told", "found"),
    [("latents", "{base}/latents"), ("a/../b", "{base}/a/../b"), ("/srv/latents", "/srv/latents")],
)
def test_relative_store_is_beside_the_document(tmp_path, told, found):
    after, _ = read(tmp_path, latentStore={"url": f"directory:{told}"})
    assert after.spec.latent_store.url == f"directory:{found.format(base=tmp_path)}"


def test_heads_profile_and_encoder_are_beside_the_document(tmp_path):
    (tmp_path / "words").mkdir()
    names = {"head": "heads", "profile": "profile.json", "encoder": "words"}
    after, _ = read(tmp_path, predictor=names)
    assert after.spec.predictor.profile == str(tmp_path / "profile.json")
    assert after.spec.predictor.head == str(tmp_path / "heads")
    assert after.spec.predictor.encoder == str(tmp_path / "words")


def test_nothing_else_of_a_document_changes(tmp_path):
    spec = {
        "latentStore": {"url": "directory:latents", "timeToLiveSeconds": 5.0},
        "predictor": {"scoredShare": 0.5},
    }
    after, before = read(tmp_path, **spec)
    url = {"url": after.spec.latent_store.url}
    store = before.spec.latent_store.model_copy(update=url)
    assert after == before.model_copy(
        update={"spec": before.spec.model_copy(update={"latent_store": store})}
    )


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"latentStore": {"url": "redis://127.0.0.1:6379"}},
        {"predictor": {"head": "builtin:shapes", "encoder": "all-MiniLM-L6-v2"}},
    ],
)
def test_document_without_relative_paths_is_read_as_it_is(tmp_path, spec):
    text, cluster = document(tmp_path, **spec)
    assert anchored(text, cluster, tmp_path) is text


def test_state_is_the_users_own_and_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (state_folder("studio") / "learnt").write_text("much")
    assert (state_folder("studio") / "learnt").read_text() == "much"
    assert state_folder("studio").stat().st_mode & 0o077 == 0
