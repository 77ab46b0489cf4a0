import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "planning.md"


def test_the_example_prints_what_the_page_says(capsys):
    page = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (told,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    numbers = re.compile(r"\d+(?:\.\d+)?")
    assert numbers.sub("#", printed) == numbers.sub("#", told)
    found, said = ([float(n) for n in numbers.findall(text)] for text in (printed, told))
    assert found == pytest.approx(said, abs=0.002)
