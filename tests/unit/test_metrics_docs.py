import re
from pathlib import Path

from argus_metrics import _METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def test_the_example_prints_what_the_page_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (told,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "docs/metrics.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr()
    assert printed.out == told


def test_the_page_names_every_metric_that_there_is():
    assert set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)) == set(_METRICS)
