"""docs/install.md, followed to the letter on a real node."""

import io

import numpy as np
import pytest
from PIL import Image

from argus_shapes import captions
from argus_shapes.detector import detect, judge
from cluster.installed import RESTRICTED
from cluster.kubernetes import Kubernetes
from cluster.page import commands, follow
from helpers import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


async def test_the_page_installs_draws_shows_and_takes_away(loaded: Kubernetes, tmp_path):
    page = commands("install.md")
    follow(loaded, page["Operator"], tmp_path)
    loaded.kubectl(
        "label", "namespace", "argus-system", *(f"{k}={v}" for k, v in RESTRICTED.items())
    )
    table = follow(loaded, page["A cluster"], tmp_path).splitlines()
    assert table[-1].split()[:3] == ["studio", "True", "2/2"]

    follow(loaded, page["A picture"], tmp_path)
    picture = Image.open(io.BytesIO((tmp_path / "circle.png").read_bytes())).convert("RGB")
    pixels = np.asarray(picture, np.float32) / 255
    assert judge(captions.parse("a large red circle"), detect(pixels)).exact

    shown = follow(loaded, page["What moves"], tmp_path)
    assert "shapes-large" in shown
    for condition in ("PlanCurrent", "SLOMet"):  # told once a load has been seen
        about = ("argus/studio", "-n", "studio", "--timeout=60s")
        loaded.kubectl("wait", f"--for=condition={condition}", *about)
    conditions = loaded.get("argus", "studio", "-n", "studio")["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions} == {
        "Ready": "True",
        "PlanCurrent": "True",
        "WithinBudget": "True",
        "ProfileCurrent": "True",
        "SLOMet": "True",
        "Progressing": "False",
    }

    follow(loaded, page["Take it away"], tmp_path)
    kinds = "all,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets"

    def left():
        found = loaded.get(kinds, "-n", "studio")["items"]
        return {each["metadata"]["name"] for each in found} - {"default", "kube-root-ca.crt"}

    await eventually(lambda: not left(), timeout=120, interval=0.5)
    loaded.kubectl("delete", "namespace", "studio", "argus-system")
