"""The clusters that the tests beside this one stand on."""

import pytest

from cluster.kubernetes import CommandFailed, Kubernetes

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "pod"},
    "spec": {"containers": [{"name": "it", "image": "registry.k8s.io/pause:3.10"}]},
}


def test_api_server_is_of_the_version_that_is_promised(api_server: Kubernetes):
    assert '"v1.36.3"' in api_server.kubectl("get", "--raw", "/version")


def test_api_server_refuses_a_pod_that_a_restricted_namespace_forbids(api_server: Kubernetes):
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    refused = pytest.raises(CommandFailed, match="violates PodSecurity")
    with api_server.namespace("restricted", **restricted) as namespace, refused:
        api_server.apply(POD, namespace=namespace)


def test_api_server_comes_back_with_what_it_held(api_server: Kubernetes):
    with api_server.namespace("outage"):
        api_server.script("api.sh", "down")
        with pytest.raises(CommandFailed, match="refused"):
            api_server.kubectl("get", "namespaces")
        api_server.script("api.sh", "up")
        assert api_server.get("namespace", "outage")["metadata"]["name"] == "outage"
