"""How the operator reaches routers, and what it is told of that when it starts."""

import pytest

from argus_control.history import History
from argus_core.errors import InvalidRequest
from argus_operator.crew import Controller, gist, reach
from argus_operator.settings import Settings, from_environment
from operator_support import cluster_of

SETTINGS = Settings(control_key="argus-mine")
TLS = {"tls": {"secretName": "t"}}
KEYS = {"apiKeys": {"secretName": "k"}}


def test_the_key_is_shown_only_to_routers_that_ask_for_one():
    assert reach(cluster_of(), SETTINGS).control_key == ""
    assert reach(cluster_of(router=KEYS), SETTINGS).control_key == "argus-mine"


def test_routers_are_known_by_the_name_of_their_service(tmp_path):
    assert reach(cluster_of(), SETTINGS).tls is None
    known = reach(cluster_of(router=TLS), SETTINGS).tls
    assert (known.ca, known.server_name) == (None, "demo-router.here.svc")


def test_a_certificate_is_shown_where_there_is_one(tmp_path):
    settings = Settings(routers_tls=tmp_path)
    known = reach(cluster_of(router=TLS), settings).tls
    assert (known.ca, known.certificate) == (tmp_path / "ca.crt", None)
    (tmp_path / "tls.crt").touch()
    known = reach(cluster_of(router=TLS), settings).tls
    assert (known.certificate, known.key) == (tmp_path / "tls.crt", tmp_path / "tls.key")


WITHIN = {"internalTls": {"secretName": "w"}}


def test_workers_of_a_closed_cluster_are_known_by_one_name(tmp_path):
    settings = Settings(workers_tls=tmp_path)
    assert reach(cluster_of(), settings).peers is None
    known = reach(cluster_of(**WITHIN), settings).peers
    assert (known.folder, known.name) == (tmp_path, "demo-internal.here.svc")
    assert gist(cluster_of().spec) != gist(cluster_of(**WITHIN).spec)


async def test_an_operator_without_a_certificate_says_what_it_lacks():
    controller = Controller(
        cluster_of(**WITHIN),
        [],
        before=None,
        standing=None,
        history=History(),
        settings=Settings(),
        mark=lambda _name, _loadout: None,
        on_change=lambda: None,
    )
    assert controller.silent() == {}
    controller.control.crew.troubles["demo-cpu-0"] = "it hung up at once"
    (why,) = controller.silent().values()
    assert "operator.workers.tlsSecret" in why


def test_another_way_to_the_routers_takes_another_controller():
    plain, asks = (cluster_of(router=router).spec for router in ({}, {**TLS, **KEYS}))
    assert gist(plain) != gist(asks)
    assert gist(plain) == gist(cluster_of(router={"replicas": 3}).spec)


def test_every_process_makes_a_key_unless_it_is_given_one(tmp_path):
    assert from_environment({}).control_key != from_environment({}).control_key
    file = tmp_path / "key"
    file.write_text("argus-given\n")
    told = {
        "ARGUS_CONTROL_KEY_FILE": str(file),
        "ARGUS_ROUTERS_TLS": "/etc/tls",
        "ARGUS_WORKERS_TLS": "/etc/within",
    }
    settings = from_environment(told)
    assert (settings.control_key, str(settings.routers_tls)) == ("argus-given", "/etc/tls")
    assert str(settings.workers_tls) == "/etc/within"


@pytest.mark.parametrize("text", [None, " \n"])
def test_a_key_that_cannot_be_read_is_named(tmp_path, text):
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidRequest, match="ARGUS_CONTROL_KEY_FILE"):
        from_environment({"ARGUS_CONTROL_KEY_FILE": str(file)})
