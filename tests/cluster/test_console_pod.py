"""The chart's console in a pod: lets in who has a key, shows the cluster, and draws with it."""

import json

import pytest

from argus_rpc.keys import line, new_key
from cluster.installed import CHARTS, RESTRICTED, SYSTEM, asked_for, charts, put
from cluster.kubernetes import CommandFailed, Kubernetes
from cluster.studio import studio

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
URL = f"http://argus-console.{SYSTEM}.svc.cluster.local"


async def test_who_has_a_key_sees_the_cluster_and_draws(loaded: Kubernetes):
    asked_for()
    key = new_key()
    values = (
        "enabled=true",
        "keysSecret=console-keys",
        "router=dns:///drawn-routers.drawn.svc:8000",
    )
    sets = ",".join(f"console.{value}" for value in values)

    def get(path: str, *more: str) -> str:
        asked = ("curl", "--silent", "--show-error", "--fail", "--max-time", "60", *more)
        return loaded.script("in.sh", *asked, f"{URL}{path}")

    signed_in = ("--header", f"Authorization: Bearer {key}", "--header", "argus-console: test")
    with charts(loaded, CHARTS), studio(loaded, "drawn") as cluster:
        loaded.make_namespace(SYSTEM, **RESTRICTED)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "console-keys"},
            "stringData": {"keys": f"{line('shop', key)}\n"},
        }
        loaded.apply(secret, namespace=SYSTEM)
        await cluster.becomes("Progressing", "False", "Settled")
        put(loaded, "argus", CHARTS["argus"], "--set", sets)

        with pytest.raises(CommandFailed, match="401"):
            get("/api/whatif", "--header", "argus-console: test", "--json", "{}")
        assert "<html" in get("/")

        wish = json.dumps({"prompt": "a large red circle", "seed": 3})
        told = get("/api/draw", *signed_in, "--json", wish)
        assert "event: picture" in told
        loaded.kubectl("delete", "secret", "console-keys", "-n", SYSTEM)
