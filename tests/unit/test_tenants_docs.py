"""The examples of docs/tenants.md and docs/faults.md do what the pages say."""

import json
import re
from pathlib import Path

import pytest
import yaml

from argus_core.spec import parse_cluster
from router_support import cluster_of

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS.parent / "bench" / "results"


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_the_order_of_turns_is_what_the_page_says(capsys):
    (code,), (told,) = blocks("tenants.md", "python"), blocks("tenants.md", "text")
    exec(compile(code, "tenants.md", "exec"), {})
    assert capsys.readouterr().out == told


@pytest.mark.parametrize("page", ["tenants.md", "faults.md"])
def test_the_documents_example_is_a_valid_one(page):
    (text,) = blocks(page, "yaml")
    document = cluster_of().model_dump(by_alias=True, mode="json", exclude_none=True)
    document["spec"].update(yaml.safe_load(text))
    spec = parse_cluster(document).spec
    assert spec.tenants or spec.router.faults.eject_after == 5


@pytest.mark.parametrize("page", ["tenants.md", "faults.md"])
def test_defaults_in_the_tables_are_those_of_the_model(page):
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| ([\d.]+|yes) \|$", (DOCS / page).read_text(), re.MULTILINE
    )
    faults, quota = cluster_of().spec.router.faults, cluster_of().spec.tenant_defaults
    known = {**faults.model_dump(by_alias=True), **quota.model_dump(by_alias=True)}
    assert rows
    for name, told in rows:
        assert known[name] == (True if told == "yes" else float(told)), name


def test_figures_of_fairness_are_those_that_were_measured_and_keep_the_goal():
    figures = json.loads((RESULTS / "fairness.json").read_text())["figures"]
    page = (DOCS / "tenants.md").read_text()
    for f in figures:
        latencies = f"{f['p50'] * 1000:.0f} ms | {f['p99'] * 1000:.0f} ms"
        assert f"| {f['scene']} | {f['tenant']} | {latencies} | {f['quality']:.2f} |" in page
        assert f["late"] == 0
    quiet = {f["scene"]: f for f in figures if f["tenant"] == "quiet"}
    assert quiet["at fifty times"]["p99"] <= 1.2 * quiet["at its share"]["p99"]
    assert quiet["at fifty times"]["refused"] == 0
