"""Every metric that rules, cases and runbooks name is one that a process shows."""

import re
from pathlib import Path

from alerts import burns, faults
from alerts.naming import METRIC, of_the_rules
from argus_alerts import groups
from shown_support import metrics

ROOT = Path(__file__).parents[2]


def test_every_metric_of_the_rules_is_shown():
    assert len(of_the_rules()) > 15
    assert of_the_rules() - metrics() == set()


def test_every_metric_of_the_cases_is_one_of_the_rules():
    rules = groups.text()
    named = {
        name
        for case in (*burns.CASES, *faults.CASES)
        for series in case.series
        for name in METRIC.findall(series)
    }
    assert {name for name in named if name not in rules} == set()


def test_every_metric_of_the_runbooks_is_shown():
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "runbooks").glob("*.md"))
    named = set(METRIC.findall(pages))
    assert len(named) > 15
    assert named - metrics() == set()


def test_every_recorded_series_that_a_rule_reads_is_recorded():
    rules = [rule for group in groups.groups() for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    read = {name for rule in rules for name in re.findall(r"argus:[a-z_]+:\w+", rule["expr"])}
    assert read - recorded == set()
