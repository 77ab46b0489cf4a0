"""The alerts: their rules as promtool plays them, and what belongs to each."""

import re
from pathlib import Path

import pytest
import yaml

from alerts import burns, faults
from argus_alerts import burn, groups
from argus_alerts.rule import Pace
from prometheus_support import promtool

ROOT = Path(__file__).parents[2]
CASES = [*burns.CASES, *faults.CASES]
RULES = [rule for group in groups.groups() for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
each_alert = pytest.mark.parametrize("name", groups.names())
HEADINGS = ["Meaning", "Impact", "Look here first", "Do this", "It is normal when"]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    # Windows of hours and days need no look each minute.
    ("cases", "slo", "every"),
    [(burns.CASES, True, "2m"), (faults.CASES, False, "1m")],
)
def test_every_case_of_every_alert_holds(cases, slo, every, tmp_path):
    rules = [g for g in groups.groups() if g["name"].startswith("argus-slo") == slo]
    (tmp_path / "alerts.yaml").write_text(groups.written(rules))
    file = tmp_path / "tests.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "rule_files": ["alerts.yaml"],
                "evaluation_interval": every,
                "tests": [case.test(groups.names()) for case in cases],
            }
        )
    )
    promtool("test", "rules", file, folder=tmp_path)


def test_the_written_rules_are_those_of_the_source_and_promtool_takes_them():
    file = ROOT / "manifests" / "alerts.yaml"
    assert file.read_text() == groups.text()
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", file)


@each_alert
def test_alert_has_cases_of_silence_firing_resolving_gaps_and_restarts(name):
    mine = [case for case in CASES if case.alert == name]
    assert [case for case in mine if case.silent and not case.fires]
    assert [case for case in mine if case.fires and max(case.fires) < max(case.silent, default=0)]
    for word in ("gap", "restart"):
        assert [case for case in mine if word in case.rule and case.silent], word


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_tells_whom_it_is_for_and_what_is_wrong(rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    everywhere = rule["labels"].get("part") == "all"
    assert ("$labels.cluster" in notes["description"]) != everywhere
    assert notes["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"


@each_alert
def test_alert_has_a_runbook_that_answers_the_five_questions(name):
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    for part in page.split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        assert len(text.strip()) > 40, heading


def test_no_runbook_is_of_an_alert_that_there_is_not():
    there = {page.stem for page in (ROOT / "docs" / "runbooks").glob("Argus*.md")}
    assert there == set(groups.names())


@pytest.mark.parametrize("target", [0.001, 0.5, 0.9, 0.93, 0.99, 0.9999])
@pytest.mark.parametrize("watch", burn.WATCHES, ids=lambda watch: watch.name)
def test_every_target_has_a_burn_that_is_told_of_and_none_within_its_budget(watch, target):
    bound = burn.limit(watch.factor, target)
    assert 1 <= bound <= watch.factor
    assert bound * (1 - target) < 1  # A share of bad images that there can be.


def test_pace_scales_windows_and_keeps_them_longer_than_some_scrapes():
    pace = Pace(scale=0.01, shortest=4.0)
    assert [pace.window(s) for s in (60, 300, 3600, 86_400)] == ["4s", "4s", "36s", "864s"]
    assert [pace.wait(s) for s in (0, 50, 600)] == ["0s", "500ms", "6s"]
    assert Pace().window(3 * 86_400) == "3d"
