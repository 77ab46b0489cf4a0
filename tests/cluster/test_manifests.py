"""The charts' CRD and the manifests for those without Helm are what their sources make."""

import subprocess
import sys

import yaml

from cluster.charts import render, tool
from cluster.kubernetes import ROOT, Kubernetes


def test_they_are_current():
    tool("helm")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "manifests.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_crd_chart_installs_the_very_crd_and_keeps_it(tmp_path):
    (rendered,) = render("argus-crds", {}, tmp_path)
    file = ROOT / "manifests" / "crds" / "argusclusters.argus.dev.yaml"
    assert rendered["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert rendered == yaml.safe_load(file.read_text())


def test_kustomize_installs_the_operator_and_its_resource(api_server: Kubernetes):
    made = list(yaml.safe_load_all(api_server.kubectl("kustomize", str(ROOT / "manifests"))))
    kinds = [document["kind"] for document in made]
    assert {"Namespace", "CustomResourceDefinition", "Deployment", "ClusterRole"} <= set(kinds)
    api_server.make_namespace("argus-system")
    api_server.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-k", str(ROOT / "manifests")
    )
