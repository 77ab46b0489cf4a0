"""What the charts render, by themselves and in the eyes of an API server."""

import json
import re
import shlex
import ssl
import subprocess

import aiohttp
import pytest
import yaml

from argus_console.guard import ASKED
from argus_rpc.keys import CONTROL, line, new_key
from argus_rpc.tls import TlsFiles
from cluster.charts import CHARTS, MATRIX, helm, render, tool
from cluster.kubernetes import ROOT, Kubernetes
from cluster.schemas import write_schemas
from helpers import eventually
from router_support import ScriptedWorker
from security_support import Authority, guarded, write
from support.process import process

each_values = pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
FOREIGN = ("PrometheusRule", "ServiceMonitor")
"""Kinds of the Prometheus operator, which is not here."""
BOARDS = ROOT / "manifests" / "dashboards"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


@pytest.mark.parametrize("chart", ["argus", "argus-crds"])
@pytest.mark.parametrize("program", ["helm", "helm3"])
def test_charts_pass_helms_own_lint(program, chart):
    done = helm("lint", "--strict", str(CHARTS / chart), program=program)
    assert done.returncode == 0, done.stdout + done.stderr


@each_values
def test_helm_3_renders_the_same(values, tmp_path):
    assert render("argus", values, tmp_path, program="helm3") == render("argus", values, tmp_path)


@each_values
def test_api_server_takes_every_rendering_without_a_warning(
    api_server: Kubernetes, values, tmp_path
):
    documents = [d for d in render("argus", values, tmp_path) if d["kind"] not in FOREIGN]
    others = {d["metadata"].get("namespace", "argus-system") for d in documents}
    for name in others:
        api_server.make_namespace(name, **RESTRICTED)
    done = subprocess.run(
        ["kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        check=False,
        input=yaml.safe_dump_all(documents),
        capture_output=True,
        text=True,
        timeout=60,
        env=api_server.environment,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_kubeconform_takes_every_rendering(api_server: Kubernetes, tmp_path):
    write_schemas(json.loads(api_server.kubectl("get", "--raw", "/openapi/v2")), tmp_path)
    file = tmp_path / "rendered.yaml"
    rendered = [d for values in MATRIX.values() for d in render("argus", values, tmp_path)]
    file.write_text(yaml.safe_dump_all([*rendered, *render("argus-crds", {}, tmp_path)]))
    location = f"{tmp_path}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    done = subprocess.run(
        [tool("kubeconform"), "-skip", ",".join(FOREIGN), "-schema-location", location, str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pages_command_installs_every_dashboard_for_the_sidecar():
    page = (ROOT / "docs" / "dashboards.md").read_text()
    (flags,) = re.findall(r"^helm upgrade --install argus charts/argus (.+)$", page, re.MULTILINE)
    done = helm("template", "argus", str(CHARTS / "argus"), *shlex.split(flags))
    assert done.returncode == 0, done.stderr
    found = {
        file: json.loads(text)
        for document in yaml.safe_load_all(done.stdout)
        if document["metadata"]["labels"].get("grafana_dashboard") == "1"
        for file, text in document["data"].items()
    }
    kept = {path.name: json.loads(path.read_text()) for path in BOARDS.iterdir()}
    assert found == kept


def test_a_cluster_wide_install_needs_a_cluster_role_and_a_namespaced_one_none(tmp_path):
    def kinds(values):
        return {document["kind"] for document in render("argus", values, tmp_path)}

    assert "ClusterRole" in kinds(MATRIX["defaults"])
    assert not {"ClusterRole", "ClusterRoleBinding"} & kinds(MATRIX["namespaces"])


def test_every_watched_namespace_has_a_role_and_a_binding_to_the_operators_account(tmp_path):
    documents = render("argus", MATRIX["namespaces"], tmp_path)
    account = {"kind": "ServiceAccount", "name": "argus-operator", "namespace": "argus-system"}
    bindings = [d for d in documents if d["kind"] == "RoleBinding"]
    assert {d["metadata"]["namespace"] for d in bindings} == {"argus-system", "studio", "prints"}
    assert all(d["subjects"] == [account] for d in bindings)


def test_no_rule_says_all(tmp_path):
    for values in (MATRIX["defaults"], MATRIX["namespaces"]):
        for document in render("argus", values, tmp_path):
            for rule in document.get("rules", []):
                assert "*" not in {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("wathcNamespaces", ["studio"]),
        ("images.tags", "1"),
        ("operator.loglevel", "info"),
        ("operator.resources.request", {}),
        ("serviceAccount.create", "yes"),
        ("metrics.serviceMonitor.interval", "often"),
        ("images.pullPolicy", "Sometimes"),
        ("watchNamespaces", [""]),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(path, wrong, tmp_path):
    *parents, name = path.split(".")
    values = {name: wrong}
    for parent in reversed(parents):
        values = {parent: values}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    done = helm("template", str(CHARTS / "argus"), "--values", str(tmp_path / "values.yaml"))
    assert done.returncode != 0
    assert name in done.stderr


def test_every_value_is_known_to_the_schema():
    schema = json.loads((CHARTS / "argus" / "values.schema.json").read_text())

    def check(values, node, path):
        if "properties" not in node:
            return
        for key, value in values.items():
            assert key in node["properties"], f"{path}{key}"
            if isinstance(value, dict):
                check(value, node["properties"][key], f"{path}{key}.")

    check(yaml.safe_load((CHARTS / "argus" / "values.yaml").read_text()), schema, "")


def test_the_matrix_sets_every_value():
    def leaves(values, path=()):
        for key, value in values.items():
            inner = isinstance(value, dict) and value
            yield from leaves(value, (*path, key)) if inner else [(*path, key)]

    def given(values, path=()):
        yield path
        if isinstance(values, dict):
            for key, value in values.items():
                yield from given(value, (*path, key))

    defaults = yaml.safe_load((CHARTS / "argus" / "values.yaml").read_text())
    touched = {path for values in MATRIX.values() for path in given(values)}
    images = {("images", part) for part in ("operator", "router", "predictor", "worker", "console")}
    assert set(leaves(defaults)) - touched <= images


def test_a_console_comes_only_where_asked_for_and_never_without_keys(tmp_path):
    def named(values):
        documents = render("argus", values, tmp_path)
        return {d["kind"]: d for d in documents if d["metadata"]["name"] == "argus-console"}

    assert not named(MATRIX["defaults"])
    found = named(MATRIX["console"])
    assert found.keys() == {"Deployment", "Service", "NetworkPolicy"}
    pod = found["Deployment"]["spec"]["template"]
    assert "--keys=/etc/argus/keys/keys" in pod["spec"]["containers"][0]["args"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    chosen = found["Service"]["spec"]["selector"]
    assert chosen.items() <= pod["metadata"]["labels"].items()
    for missing in ("router", "keysSecret"):
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump({"console": MATRIX["console"]["console"] | {missing: ""}}))
        done = helm("template", str(CHARTS / "argus"), "--values", str(file))
        assert done.returncode != 0
        assert f"console.{missing}" in done.stderr


async def test_the_consoles_container_lets_in_who_has_a_key_and_hears_the_routers(tmp_path):
    """What the pod would run, as a process: with TLS and keys on both sides."""
    shop, looker, authority = new_key(), new_key(), Authority()
    etc = tmp_path / "etc"
    certificate, key = authority.issue(tmp_path, "studio-router.studio.svc")
    for folder in ("tls", "routers"):
        (etc / folder).mkdir(parents=True)
        write(etc / folder / "tls.crt", certificate.read_bytes())
        write(etc / folder / "tls.key", key.read_bytes())
    ca = write(etc / "routers" / "ca.crt", authority.pem)
    (etc / "keys").mkdir()
    keys = write(etc / "keys" / "keys", f"{line('shop', shop)}\n{line(CONTROL, looker)}".encode())
    write(etc / "keys" / "api-key", shop.encode())
    write(etc / "keys" / "control-key", looker.encode())
    worker = ScriptedWorker("w0", "tiny")
    files = TlsFiles(certificate=certificate, key=key, client_ca=ca)
    async with guarded(worker, tls=files, keys=keys) as (_, address, _):
        values = {"console": MATRIX["console"]["console"] | {"router": address}}
        (pod,) = [
            d["spec"]["template"]["spec"]
            for d in render("argus", values, tmp_path)
            if d["kind"] == "Deployment" and d["metadata"]["name"] == "argus-console"
        ]
        arguments = [
            argument.replace("/etc/argus", str(etc)).replace(":8090", ":0")
            for argument in pod["containers"][0]["args"]
        ]
        context = ssl.create_default_context(cadata=authority.pem.decode())
        async with (
            process("argus_console", *arguments) as (_, told),
            aiohttp.ClientSession(
                f"https://127.0.0.1:{told['http'].rpartition(':')[2]}",
                connector=aiohttp.TCPConnector(ssl=context),
                cookie_jar=aiohttp.CookieJar(unsafe=True),  # Of an address, that is.
            ) as session,
        ):

            async def ready():
                async with session.get("/readyz") as answer:
                    return (await answer.json())["router"]

            await eventually(ready, timeout=30)
            async with session.get("/api/live") as answer:
                assert answer.status == 401
            signing = {"json": {"key": looker}, "headers": {ASKED: "test"}}
            async with session.post("/api/session", **signing) as answer:
                assert (await answer.json())["tenant"] == CONTROL
            async with session.get("/api/live") as answer:
                assert answer.status == 200
                state = json.loads((await answer.content.readuntil(b"\n\n")).split(b"data: ")[1])
    assert state["state"]["there"]
    assert not state["state"]["blind"]


def test_the_alerts_are_those_of_the_plain_file_with_runbooks_where_they_are_read(tmp_path):
    documents = render("argus", MATRIX["monitored"], tmp_path)
    (made,) = [d["spec"] for d in documents if d["kind"] == "PrometheusRule"]
    plain = (CHARTS.parent / "manifests" / "alerts.yaml").read_text()
    assert made == yaml.safe_load(plain.replace("docs/runbooks", "https://wiki.example/runbooks"))
