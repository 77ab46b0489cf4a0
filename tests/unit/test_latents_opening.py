"""Where the store is: by the document, or by the environment."""

import pytest

from argus_core.errors import InvalidRequest
from argus_core.spec import LatentStore
from argus_latents.directory import DirectoryStore
from argus_latents.opening import URL, open_store

ELSEWHERE = LatentStore(secret_name="redis")


def test_document_s_url_counts_before_the_environment_s(monkeypatch, tmp_path):
    monkeypatch.setenv(URL, "redis://nowhere")
    assert isinstance(open_store(LatentStore(url=f"directory:{tmp_path}")), DirectoryStore)


def test_environment_tells_where_the_document_does_not(monkeypatch, tmp_path):
    monkeypatch.setenv(URL, f"directory:{tmp_path}")
    assert isinstance(open_store(ELSEWHERE), DirectoryStore)


@pytest.mark.parametrize("url", ["", "ftp://nowhere", "directory:"])
def test_store_that_is_nowhere_is_refused_by_its_field(monkeypatch, url):
    monkeypatch.setenv(URL, url)
    with pytest.raises(InvalidRequest, match=r"latentStore\.url"):
        open_store(ELSEWHERE)
