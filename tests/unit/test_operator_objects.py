"""From a document to the objects of Kubernetes."""

import importlib

import pytest
import yaml

from argus_core.spec import parse_cluster
from argus_operator import names
from argus_operator.objects import build
from argus_operator.settings import Images, Settings
from argus_rpc.keys import digest, parse_keys
from operator_support import OWNER, cluster_of

SETTINGS = Settings(images=Images(worker="w:1", router="r:1", predictor="p:1"))


def built(**spec):
    found = build(cluster_of(**spec), SETTINGS, OWNER)
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in found}


def container(objects, kind, name):
    (found,) = objects[kind, name]["spec"]["template"]["spec"]["containers"]
    return found


def pod_specs(objects):
    return [
        (key, thing["spec"]["template"]["spec"])
        for key, thing in objects.items()
        if key[0] in ("Deployment", "StatefulSet")
    ]


def test_a_pool_is_a_stateful_set_that_never_surges():
    spec = built()["StatefulSet", "demo-cpu"]["spec"]
    assert spec["replicas"] == 4
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["updateStrategy"] == {"type": "OnDelete"}


def test_everything_is_owned_and_labelled():
    for thing in built().values():
        assert thing["metadata"]["ownerReferences"] == [OWNER]
        assert thing["metadata"]["labels"][names.CLUSTER] == "demo"
        assert thing["metadata"]["namespace"] == "here"


def test_pods_obey_the_restricted_standard():
    objects = built(latentStore={"url": "directory:/l", "claimName": "c"})
    assert len(pod_specs(objects)) == 3
    for _, spec in pod_specs(objects):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for each in spec["containers"]:
            assert each["securityContext"]["allowPrivilegeEscalation"] is False
            assert each["securityContext"]["readOnlyRootFilesystem"] is True
            assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not [v for v in spec["volumes"] if "hostPath" in v]


def test_latent_store_s_url_and_key_come_from_a_secret():
    objects = built(latentStore={"secretName": "redis"})
    for key, spec in pod_specs(objects):
        told = {
            e["name"]: e["valueFrom"].get("secretKeyRef")
            for e in spec["containers"][0].get("env", [])
        }
        url = told.get("ARGUS_LATENT_URL")
        if key[1] == "demo-router":
            assert url is None
        else:
            assert url == {"name": "redis", "key": "url", "optional": False}
            assert told["ARGUS_LATENT_SECRET"]["optional"]
    objects = built(latentStore={"secretName": "redis", "url": "redis://r"})
    told = [e["name"] for e in container(objects, "StatefulSet", "demo-cpu")["env"]]
    assert "ARGUS_LATENT_URL" not in told
    assert "ARGUS_LATENT_SECRET" in told


def test_workers_keep_what_they_compile_on_a_volume_of_the_document():
    objects = built(compileVolume={"claimName": "compiled"})
    worker = container(objects, "StatefulSet", "demo-cpu")
    (mount,) = [m for m in worker["volumeMounts"] if m["name"] == "compiled"]
    assert f"--compiled={mount['mountPath']}" in worker["args"]
    volumes = objects["StatefulSet", "demo-cpu"]["spec"]["template"]["spec"]["volumes"]
    claim = {"claimName": "compiled"}
    assert {"name": "compiled", "persistentVolumeClaim": claim} in volumes
    assert not [a for a in container(built(), "StatefulSet", "demo-cpu")["args"] if "compiled" in a]


@pytest.mark.parametrize(
    ("pool", "device"),
    [
        ({"gpuType": "cpu"}, None),
        ({"gpuType": "h100"}, "nvidia.com/gpu"),
        ({"gpuType": "h100", "resourceName": "amd.com/gpu"}, "amd.com/gpu"),
        ({"gpuType": "h100", "resourceName": ""}, None),
        ({"gpuType": "cpu", "resourceName": "nvidia.com/gpu"}, "nvidia.com/gpu"),
    ],
)
def test_a_worker_asks_for_one_device(pool, device):
    ladder = cluster_of().model_dump(mode="json", by_alias=True)["spec"]["ladder"]
    for level in ladder:
        level["seconds"]["h100"] = 1
    objects = built(pools=[{"name": "cpu", "workers": 1, **pool}], ladder=ladder)
    resources = container(objects, "StatefulSet", "demo-cpu")["resources"]
    assert resources.get("limits", {}) == ({device: "1"} if device else {})


def test_a_worker_begins_with_what_its_pod_was_told_last():
    worker = container(built(), "StatefulSet", "demo-cpu")
    environment = {v["name"]: v["valueFrom"]["fieldRef"]["fieldPath"] for v in worker["env"]}
    assert environment["ARGUS_LOADOUT"] == f"metadata.annotations['{names.LOADOUT}']"
    assert "--loadout=$(ARGUS_LOADOUT)" in worker["args"]
    assert "--name=$(POD_NAME)" in worker["args"]


def test_services_read_the_document_without_what_is_the_operators():
    data = built(planning={"mode": "off"}, router={"replicas": 3})["ConfigMap", "demo"]["data"]
    document = yaml.safe_load(data["cluster.yaml"])
    assert "planning" not in document["spec"]
    assert parse_cluster(document).spec.pools[0].workers == 4


def test_routers_find_workers_by_the_name_of_their_service():
    objects = built()
    args = container(objects, "Deployment", "demo-router")["args"]
    assert "--worker=dns:///demo-workers.here.svc:9000" in args
    spec = objects["Service", "demo-workers"]["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


def test_every_router_has_an_address_under_a_name_of_its_own():
    each = built(router={"grpcPort": 9})["Service", "demo-routers"]["spec"]
    assert each["clusterIP"] == "None"
    assert [port["port"] for port in each["ports"]] == [8000, 8080]


def probes(router):
    return [router[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]


def test_a_router_with_a_certificate_has_its_secret_mounted():
    objects = built(router={"tls": {"secretName": "certificate"}})
    router = container(objects, "Deployment", "demo-router")
    assert "--tls-cert=/etc/argus-tls/tls.crt" in router["args"]
    assert "--tls-key=/etc/argus-tls/tls.key" in router["args"]
    assert not [a for a in router["args"] if a.startswith(("--tls-client-ca", "--keys"))]
    volumes = template(objects, "Deployment", "demo-router")["spec"]["volumes"]
    assert volumes[-1]["secret"] == {"secretName": "certificate", "defaultMode": 0o440}
    assert router["volumeMounts"][-1]["mountPath"] == "/etc/argus-tls"


@pytest.mark.parametrize("tls", [{}, {"clientCertificates": True}, None])
def test_probes_have_a_port_of_their_own_without_a_certificate(tls):
    closed = {"tls": {"secretName": "certificate", **tls}} if tls is not None else {}
    objects = built(router=closed)
    router = container(objects, "Deployment", "demo-router")
    assert ("--tls-client-ca=/etc/argus-tls/ca.crt" in router["args"]) == bool(tls)
    assert [probe["httpGet"] for probe in probes(router)] == [
        {"path": "/healthz", "port": "probe"}
    ] * 3
    (port,) = [port["containerPort"] for port in router["ports"] if port["name"] == "probe"]
    assert f"--probe=0.0.0.0:{port}" in router["args"]
    (rule,) = objects["NetworkPolicy", "demo-router"]["spec"]["ingress"]
    assert port not in [each["port"] for each in rule["ports"]]


CLOSED = {"internalTls": {"secretName": "within"}}
PARTS = {"worker": ("StatefulSet", "demo-cpu"), "predictor": ("Deployment", "demo-predictor")}


@pytest.mark.parametrize("part", [*PARTS.values(), ("Deployment", "demo-router")])
def test_parts_of_a_closed_cluster_show_each_other_one_certificate(part):
    objects, tls = built(**CLOSED), {"secretName": "within", "defaultMode": 0o440}
    assert "--internal-tls=/etc/argus-internal" in container(objects, *part)["args"]
    volumes = template(objects, *part)["spec"]["volumes"]
    (name,) = [volume["name"] for volume in volumes if volume.get("secret") == tls]
    mount = {"name": name, "mountPath": "/etc/argus-internal", "readOnly": True}
    assert mount in container(objects, *part)["volumeMounts"]
    assert "within" not in objects["ConfigMap", "demo"]["data"]["cluster.yaml"]
    assert "internal" not in str(template(built(), *part))


@pytest.mark.parametrize("role", PARTS)
def test_a_kubelet_probes_parts_of_a_closed_cluster_where_they_ask_for_no_certificate(role):
    objects = built(**CLOSED)
    found = container(objects, *PARTS[role])
    ports = {
        next(iter(probe.get("grpc", probe.get("tcpSocket")).values())) for probe in probes(found)
    }
    (port,) = ports
    assert f"--probe=0.0.0.0:{port}" in found["args"]
    rules = objects["NetworkPolicy", f"demo-{role}"]["spec"]["ingress"]
    assert port not in [each["port"] for rule in rules for each in rule["ports"]]
    plain = container(built(), *PARTS[role])
    assert not [a for a in plain["args"] if a.startswith("--probe")]
    assert probes(plain) != probes(found)


@pytest.mark.parametrize("part", [PARTS["worker"], ("Deployment", "demo-router")])
def test_a_pod_says_whether_it_is_closed(part):
    for spec, said in ((CLOSED, "true"), ({}, None)):
        annotations = template(built(**spec), *part)["metadata"]["annotations"]
        assert annotations.get(names.INTERNAL_TLS) == said


def test_a_router_with_keys_knows_the_operators_by_its_digest_alone():
    objects = built(router={"apiKeys": {"secretName": "keys"}})
    args = container(objects, "Deployment", "demo-router")["args"]
    assert [a for a in args if a.startswith("--keys")] == [
        "--keys=/etc/argus-keys/keys",
        "--keys=/etc/argus/control.keys",
    ]
    told = objects["ConfigMap", "demo"]["data"]["control.keys"]
    assert list(parse_keys(told)) == [digest(SETTINGS.control_key)]
    assert SETTINGS.control_key not in str(objects)
    assert SETTINGS.control_key not in str(SETTINGS)


def test_a_monitor_asks_routers_with_a_certificate_by_https():
    monitored = {"observability": {"podMonitor": True}}
    plain = built(**monitored)["PodMonitor", "demo"]["spec"]["podMetricsEndpoints"]
    tls = built(**monitored, router={"tls": {"secretName": "t"}})["PodMonitor", "demo"]["spec"]
    assert not {"scheme", "tlsConfig"} & plain[0].keys()
    assert [end.get("scheme") for end in tls["podMetricsEndpoints"]] == ["https", None]


ROUTERS, MONITOR = {"secretName": "routers"}, {"monitorSecretName": "monitor"}
ASKING = {**ROUTERS, "clientCertificates": True}


def entry(secret, key):
    return {"secret": {"name": secret, "key": key}}


@pytest.mark.parametrize(
    ("tls", "named", "known"),
    [
        (ROUTERS, {}, {"insecureSkipVerify": True}),
        (ROUTERS, MONITOR, {"ca": entry("monitor", "ca.crt")}),
        (ASKING, {}, {"ca": entry("routers", "ca.crt")}),
        (
            ASKING,
            MONITOR,
            {
                "ca": entry("monitor", "ca.crt"),
                "cert": entry("monitor", "tls.crt"),
                "keySecret": {"name": "monitor", "key": "tls.key"},
            },
        ),
    ],
)
def test_a_monitor_trusts_and_shows_what_secrets_are_there(tls, named, known):
    made = built(observability={"podMonitor": True, **named}, router={"tls": tls})
    (http, _) = made["PodMonitor", "demo"]["spec"]["podMetricsEndpoints"]
    assert http["tlsConfig"] == {"serverName": "demo-router.here.svc", **known}


def template(objects, kind, name):
    return objects[kind, name]["spec"]["template"]


def test_pods_are_not_replaced_for_a_change_of_size_or_planning():
    before, after = (
        built(),
        built(
            pools=[{"name": "cpu", "workers": 9}], planning={"mode": "off"}, router={"replicas": 2}
        ),
    )
    for key in (("StatefulSet", "demo-cpu"), ("Deployment", "demo-router")):
        assert template(before, *key) == template(after, *key)


def test_pods_are_replaced_for_a_new_revision_of_a_model():
    variants = cluster_of().model_dump(mode="json", by_alias=True)["spec"]["variants"]
    variants[0]["revision"] = "new"
    before, after = built(), built(variants=variants)
    for key in (("StatefulSet", "demo-cpu"), ("Deployment", "demo-router")):
        assert template(before, *key) != template(after, *key)


def test_a_pod_template_is_laid_over_and_takes_no_label_of_ours_away():
    override = {
        "metadata": {"labels": {"argus.dev/role": "mine", "team": "a"}},
        "spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "worker", "image": "mine"}]},
    }
    pools = [{"name": "cpu", "workers": 4, "podTemplate": override}]
    found = template(built(pools=pools), "StatefulSet", "demo-cpu")
    assert found["spec"]["nodeSelector"] == {"a": "b"}
    assert found["spec"]["containers"][0]["image"] == "mine"
    assert found["metadata"]["labels"]["argus.dev/role"] == "worker"
    assert found["metadata"]["labels"]["team"] == "a"


def test_termination_takes_longer_than_the_longest_image():
    level = {"name": "best", "variant": "large", "steps": 1, "quality": 1, "seconds": {"cpu": 90}}
    ladder = [level, {**level, "name": "quick", "variant": "tiny"}]
    spec = template(built(ladder=ladder), "StatefulSet", "demo-cpu")["spec"]
    assert spec["terminationGracePeriodSeconds"] > 90
    assert "--grace=180" in spec["containers"][0]["args"]


def test_only_routers_and_the_operator_may_speak_with_workers():
    rule, metrics = built()["NetworkPolicy", "demo-worker"]["spec"]["ingress"]
    assert [port["port"] for port in metrics["ports"]] == [Settings().ports.worker_metrics]
    routers, operator = rule["from"]
    assert routers["podSelector"]["matchLabels"]["argus.dev/role"] == "router"
    assert operator["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "argus-operator"}


def test_a_pod_monitor_is_made_only_where_it_is_asked_for():
    assert ("PodMonitor", "demo") not in built()
    monitor = built(observability={"podMonitor": True})["PodMonitor", "demo"]
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        (relabelling,) = endpoint["relabelings"]
        assert relabelling == {
            "sourceLabels": ["__meta_kubernetes_pod_label_argus_dev_cluster"],
            "targetLabel": "cluster",
        }


def test_without_a_predictor_routers_are_told_none():
    objects = built(predictor={"replicas": 0})
    assert objects["Deployment", "demo-predictor"]["spec"]["replicas"] == 0
    args = container(objects, "Deployment", "demo-router")["args"]
    assert not [a for a in args if a.startswith("--predictor")]


def test_names_are_short_dns_labels_and_stay_apart():
    found = {
        names.worker("c" * 40, pool, 9999)
        for pool in ("a.b", "a-b", "p" * 63, "p" * 62 + "q", "a.b.c")
    }
    assert len(found) == 5
    for name in found:
        assert len(name) <= 63
        assert "." not in name


def test_labels_of_long_variants_fit():
    held = names.holding(["v" * 63, "w" * 62 + "x"])
    assert len(held) == 3
    assert all(len(key.partition("/")[2]) <= 63 for key in held)


@pytest.mark.parametrize("role", ["worker", "router", "predictor"])
def test_the_services_take_the_arguments_that_they_are_given(role):
    service = importlib.import_module(f"argus_{role}.__main__")
    kind, name = ("StatefulSet", "demo-cpu") if role == "worker" else ("Deployment", f"demo-{role}")
    service._parser().parse_args(container(built(), kind, name)["args"])
