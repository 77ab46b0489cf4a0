"""docs/sre.md names every alert, and its figures are those that its commands print."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from argus_alerts import groups

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "sre.md").read_text()


def test_every_command_prints_what_the_page_says():
    examples = re.findall(r"```\n(python .*?)\n```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for command, told in examples:
        _, *arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, *arguments], check=True, capture_output=True, text=True
        )
        assert done.stdout.rstrip("\n") == told


def test_the_page_begins_where_who_was_paged_does():
    assert PAGE.startswith("# You were paged\n")


def test_every_alert_is_in_the_table_with_its_severities_and_runbook():
    told = {}
    for name, page, severities in re.findall(
        r"^\| \[(\w+)\]\((runbooks/\w+\.md)\) \|.*\| ([a-z, ]+) \|$", PAGE, re.MULTILINE
    ):
        assert (DOCS / page).stem == name
        told[name] = set(severities.split(", "))
    rules = [rule for group in groups.groups() for rule in group["rules"] if "alert" in rule]
    there = {}
    for rule in rules:
        there.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])
    assert told == there


def test_every_link_of_a_runbook_leads_somewhere():
    for page in [DOCS / "sre.md", *(DOCS / "runbooks").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_what_was_seen_is_what_the_bench_found():
    found = json.loads((DOCS.parent / "bench" / "results" / "alarms.json").read_text())
    assert found["quiet"]["false_alarm"] is None
    assert not [row["alert"] for row in found["faults"] if "wrong" in row]
    rows = [
        f"| {row['fault']} | {row['alert']} | {row['pace']:g} | {row['fired_after']:g} s "
        f"| {row['silent_after']:g} s |"
        for row in found["faults"]
    ]
    assert rows
    assert [line for line in PAGE.splitlines() if re.search(r"\d s \|$", line)] == rows
    by_test, _, untried = PAGE.rpartition("By a test on ")[2].partition("Only promtool has tried")
    tried = {row["alert"] for row in found["faults"]} | set(re.findall(r"Argus\w+", by_test))
    assert set(re.findall(r"Argus\w+", untried)) == set(groups.names()) - tried
