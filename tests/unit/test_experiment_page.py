import pytest

import report

SCRIPTS = ("ablations", "azure", "day", "frontier", "paper", "shapes", "traces")


@pytest.mark.parametrize("path", report.PAGES, ids=lambda path: path.name)
def test_the_pages_say_what_the_results_say(path):
    page = path.read_text()
    assert "<!-- figures: paper/" in page
    assert report.filled(page) == page, "python bench/report.py fills it"


def test_the_page_has_something_of_every_experiment():
    page = report.PAGE.read_text()
    assert all(f"<!-- figures: {name}/from -->" in page for name in SCRIPTS)
    assert all(f"bench/{name}.py" in page for name in SCRIPTS)


def test_a_table_that_was_not_run_says_so_and_none_is_nested(tmp_path):
    page = "a\n<!-- figures: azure/goals -->\nold\n<!-- /figures -->\nb\n"
    assert report.filled(page, tmp_path) == page.replace("old", report.LACKING)
